#pragma once
// What error-correcting codes and the signature cost, in bits and percent of the unprotected memory. Pure
// functions.

namespace flipstorm
{

/**
 * Parity bits of a single-error-correcting Hamming code over `data_bits` bits: the least r with 2^r ≥ k + r
 * + 1. 4 for 8, 5 for 16, 6 for 32, 7 for 64, 8 for 128. \throws Error if data_bits < 1.
 */
int hamming_sec_parity(int data_bits);

/// Parity bits of a code that also detects double errors (Hsiao): one more.
int secded_parity(int data_bits);

/// AP of Table III of DATE 2023: SEC on every parameter of `word_bits` bits, 100 r(b) / b percent.
double sec_overhead_percent(int word_bits);

/// Sign. of Table III: one flag per parameter, 100 / b percent.
double signature_overhead_percent(int word_bits);

/// Gain of Table III in percent: 100 (1 − (critical + signature) / all).
double gain_percent(double all_parameters, double critical_parameters, double signature);

}  // namespace flipstorm
