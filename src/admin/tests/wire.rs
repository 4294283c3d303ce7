//! True sockets: slow, huge, idle, broken, and the Unix socket.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use super::{As, House};
use crate::{
    admin::{Admin, BindError, Local},
    config::{AdminListen, AdminSettings},
};

/// Longer than anything here takes; a test that waits this long has failed.
const LONG: Duration = Duration::from_secs(60);

struct Served {
    house: House,
    tcp: SocketAddr,
    unix: PathBuf,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

async fn serve() -> Served {
    let house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let unix = folder.path().join("admin.sock");
    let listen = vec![AdminListen::Tcp("127.0.0.1:0".parse().unwrap()), AdminListen::Unix(unix.clone())];
    let settings = AdminSettings { listen, listen_explicit: true, ..AdminSettings::default() };
    let admin = Admin::bind(&settings, &house.handles).unwrap();
    let tcp = admin.local_addrs().into_iter().find_map(|local| match local {
        Local::Tcp(at) => Some(at),
        Local::Unix(_) => None,
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(admin.run(async move { drop(stopped.await) }));
    Served { house, tcp: tcp.unwrap(), unix, stop, running, _folder: folder }
}

/// Everything until the other side closes.
async fn all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut octets = Vec::new();
    // A reset after the answer is as good as an end.
    let _ = timeout(LONG, stream.read_to_end(&mut octets)).await.expect("the connection is closed");
    String::from_utf8_lossy(&octets).into_owned()
}

async fn say(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    // The other side may close before all is written.
    let _ = stream.write_all(request.as_bytes()).await;
    all(&mut stream).await
}

const LIVE: &str = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn three_hundred_idle_connections_disturb_nobody() {
    let served = serve().await;
    let mut idle = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(served.tcp).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost:").await.unwrap();
        }
        idle.push(stream);
    }
    assert!(say(served.tcp, LIVE).await.starts_with("HTTP/1.1 200"));
    // Far beyond the allowance of one source: the oldest go, the newest are served.
    for _ in 0..400 {
        idle.push(TcpStream::connect(served.tcp).await.unwrap());
    }
    assert!(say(served.tcp, LIVE).await.starts_with("HTTP/1.1 200"));
    assert_eq!(all(&mut idle[0]).await, "", "the oldest was let go");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let served = serve().await;
    let mut stream = TcpStream::connect(served.tcp).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await.unwrap();
    // A client that keeps dripping; how long it is borne is HEAD_READ_MAX, which a busy machine may stretch.
    let dripping = async {
        while stream.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(LONG, dripping).await.expect("the connection is closed");
}

#[tokio::test]
async fn broken_clients_get_a_refusal_and_nothing_else_happens() {
    let served = serve().await;
    let token = served.house.bearer(As::Admin).unwrap();
    let head = format!("host: localhost\r\nauthorization: {token}\r\nconnection: close\r\n");
    let large = "x".repeat(200 * 1024);
    for (request, status) in [
        ("\u{0}\u{1}\u{2}\r\n\r\n".to_owned(), "400"),
        ("GET\r\n\r\n".to_owned(), "400"),
        ("GET /livez HTTP/9.9\r\n\r\n".to_owned(), "400"),
        (format!("GET /v1/status HTTP/1.1\r\n{head}x-large: {large}\r\n\r\n"), "431"),
        (format!("GET /{large} HTTP/1.1\r\n{head}\r\n"), "4"),
        (format!("GET /v1/status HTTP/1.1\r\n{head}content-length: -5\r\n\r\n"), "400"),
        (format!("GET /v1/status HTTP/1.1\r\n{head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello"), "400"),
        (format!("GET /v1/status HTTP/1.1\r\nauthorization: {token}\r\nconnection: close\r\n\r\n"), "400"),
        (format!("GET /v1/whoami HTTP/1.1\r\n{head}\r\n"), "200"),
        (
            format!(
                "POST /v1/overrides HTTP/1.1\r\n{head}content-type: application/json\r\ncontent-length: 9999999\r\n\r\n"
            ),
            "413",
        ),
        (
            format!(
                "GET /v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\nconnection: close\r\n\r\n",
                "Bearer x"
            ),
            "401",
        ),
    ] {
        let answer = say(served.tcp, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:.60}: {answer:.200}");
    }
    for cut in [1, 10, 30] {
        let mut stream = TcpStream::connect(served.tcp).await.unwrap();
        stream.write_all(&LIVE.as_bytes()[..cut]).await.unwrap();
        drop(stream);
    }
    assert!(say(served.tcp, LIVE).await.starts_with("HTTP/1.1 200"));
    assert_eq!(served.house.generation().await, 0);
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_a_mebibyte() {
    let served = serve().await;
    let token = served.house.bearer(As::Operator).unwrap();
    let mut stream = TcpStream::connect(served.tcp).await.unwrap();
    let head = format!(
        "POST /v1/overrides HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let endless = async {
        let mut sent = 0_usize;
        while write.write_all(chunk.as_bytes()).await.is_ok() && sent < 64 {
            sent += 1;
        }
        sent
    };
    let (_, answer) = tokio::join!(timeout(LONG, endless), all(&mut read));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer:.200}");
    assert!(say(served.tcp, LIVE).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_can_open_the_unix_socket_is_admin_and_known_by_number() {
    let served = serve().await;
    let mut stream = UnixStream::connect(&served.unix).await.unwrap();
    stream.write_all(b"GET /v1/whoami HTTP/1.1\r\nhost: anything.example\r\nconnection: close\r\n\r\n").await.unwrap();
    let answer = all(&mut stream).await;
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let who: serde_json::Value = serde_json::from_str(body).unwrap();
    let uid = nix::unistd::geteuid().as_raw();
    assert_eq!(who, serde_json::json!({ "principal": format!("uid:{uid}"), "role": "admin", "from": "unix" }));
}

#[tokio::test]
async fn stopping_lets_answers_finish_ends_streams_and_removes_the_socket() {
    let served = serve().await;
    let token = served.house.bearer(As::Viewer).unwrap();
    let mut stream = TcpStream::connect(served.tcp).await.unwrap();
    let request = format!("GET /v1/events/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let _idle = TcpStream::connect(served.tcp).await.unwrap();
    served.stop.send(()).unwrap();
    timeout(LONG, served.running).await.expect("it ends").unwrap();
    all(&mut stream).await;
    assert!(!served.unix.exists());
    assert!(TcpStream::connect(served.tcp).await.is_err());
}

#[tokio::test]
async fn an_unusable_default_is_a_warning_and_an_unusable_choice_an_error() {
    let house = House::new().await;
    let unix = |explicit| AdminSettings {
        listen: vec![AdminListen::Unix("/proc/nowhere/admin.sock".into())],
        listen_explicit: explicit,
        ..AdminSettings::default()
    };
    assert!(matches!(Admin::bind(&unix(true), &house.handles), Err(BindError::Unix { .. })));
    let bound = Admin::bind(&unix(false), &house.handles).unwrap();
    assert!(bound.warnings().len() == 1 || bound.local_addrs().len() == 1);
    let open = AdminSettings { listen: vec![AdminListen::Tcp("0.0.0.0:0".parse().unwrap())], ..unix(true) };
    assert!(matches!(Admin::bind(&open, &house.handles), Err(BindError::Exposed(_))));
}
