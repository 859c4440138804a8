//! GSTN, simulated: stateful, with real cryptography and faults on demand.
