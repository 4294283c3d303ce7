//! The room `dns`.
