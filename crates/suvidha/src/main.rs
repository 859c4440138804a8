//! The suvidha command: gateway, sandbox and tools in one binary.

fn main() {}
