//! The GSTN protocol: identifiers, headers, envelopes, catalogues and wire cryptography. No I/O, no clock.
