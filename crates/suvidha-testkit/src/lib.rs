//! For tests only: starts a real gateway and sandbox on free ports.
