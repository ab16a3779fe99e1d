//! Destinations for recovery keys, and the proof of every copy.
