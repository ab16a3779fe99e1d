//! The drives of this computer: what is attached, what is encrypted, what lies where.
