//! What Suvidha keeps: the registry of ASPs and their credentials; secrets sealed at rest.
