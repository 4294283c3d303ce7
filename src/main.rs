//! The one binary; everything is in the library.

use std::process::ExitCode;

use wayshift::{
    cli::{self, Command},
    demo, node,
};

fn main() -> ExitCode {
    match cli::parse().command {
        Command::Serve(args) => node::serve(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Verb(verb) => cli::run(&verb),
    }
}
