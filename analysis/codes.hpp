#pragma once
// What error-correcting codes cost. Pure functions, thread-safe.

namespace flipstorm
{

/**
 * Parity bits of a single-error-correcting Hamming code over `data_bits` bits: the least r with 2^r ≥ k + r
 * + 1. 4 for 8, 5 for 16, 6 for 32, 7 for 64, 8 for 128. \throws Error if data_bits < 1.
 */
int hamming_sec_parity(int data_bits);

/// Gain of Table III of DATE 2023 in percent: 100 (1 − (critical + signature) / all).
double gain_percent(double all_parameters, double critical_parameters, double signature);

}  // namespace flipstorm
