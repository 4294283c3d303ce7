//! A node under attack, seen from outside: it goes on answering, as the same process.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::support::{Node, ask, eventually, query};

const CONFIG: &str = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[service.www]\nnames = [\"www.gslb.example.com\"]\nendpoints = [\"203.0.113.1\"]\ncheck = \"tcp://x:1\"\n";

/// One query over a stream; whether it was answered.
fn over_tcp(at: SocketAddr) -> bool {
    let asked = || -> std::io::Result<()> {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let packet = query("www.gslb.example.com", 1, 7);
        stream.write_all(&u16::try_from(packet.len()).unwrap().to_be_bytes())?;
        stream.write_all(&packet)?;
        stream.read_exact(&mut [0; 14])
    };
    asked().is_ok()
}

#[test]
fn a_want_of_descriptors_ends_no_door_and_is_told_once() {
    let node = Node::start(CONFIG);
    let limited = Command::new("prlimit").args(["--pid", &node.pid().to_string(), "--nofile=64:64"]).status();
    assert!(limited.expect("prlimit is part of Debian").success());
    let silent: Vec<_> = (0..200).filter_map(|_| TcpStream::connect(node.dns).ok()).collect();
    eventually("a stream among silent ones is answered", || over_tcp(node.dns).then_some(()));
    assert!(ask(node.dns, &query("www.gslb.example.com", 1, 8)).is_some());
    drop(silent);
    eventually("the API answers", || node.run(&["status"]).status.success().then_some(()));
    let told = node.log_text().matches("accepting DNS connections meets errors").count();
    assert!(told <= 1, "told {told} times");
    assert!(node.stop().0.success(), "the same process to the end");
}

#[test]
fn a_pipe_in_the_configuration_holds_neither_reloads_nor_the_end() {
    let mut node = Node::start(CONFIG);
    nix::unistd::mkfifo(&node.folder.path().join("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let good = std::fs::read_to_string(node.config()).unwrap();
    std::fs::write(node.config(), format!("include = [\"pipe.toml\"]\n{good}")).unwrap();
    assert!(!node.run(&["reload"]).status.success());
    std::fs::write(node.config(), good).unwrap();
    node.ok(&["reload"]);
    (0..200).for_each(|_| node.signal(Signal::SIGHUP));
    node.logged("configuration reloaded");
    assert!(ask(node.dns, &query("www.gslb.example.com", 1, 9)).is_some());
    assert!(node.stop().0.success());
}
