//! The arithmetic of BitLocker: sector ciphers and key stretching, in safe code and in SIMD.
