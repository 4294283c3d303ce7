//! The DNS doors: sockets, reading, answering and writing. They read the answer table and nothing else, so they go on
//! answering whatever happens to the rest of the program.

mod answer;
mod chaos;
mod desk;
mod handler;
mod message;
mod names;
mod read;
mod write;
