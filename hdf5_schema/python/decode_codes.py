#!/usr/bin/env python3
"""Reads the stored words of a model.h5 and what they stand for: decode_codes.py MODEL.h5

Prints each parameter that is not fp32 with its format and the largest |decoded - /parameters|. That is 0, or the exit code
is 1. Needs h5py and numpy, and nothing of flipstorm.
"""

import sys

import h5py
import numpy as np


def decode_fp8(codes, exponent_bits, mantissa_bits, has_infinity):
    """The OCP's 8-bit floats: E4M3 (4, 3, False) and E5M2 (5, 2, True)."""
    words = codes.astype(np.int64)
    sign = np.where(words & 0x80, -1.0, 1.0)
    exponent = words >> mantissa_bits & (1 << exponent_bits) - 1
    mantissa = words & (1 << mantissa_bits) - 1
    bias = (1 << exponent_bits - 1) - 1
    subnormal = exponent == 0
    significand = np.where(subnormal, mantissa, mantissa + (1 << mantissa_bits))
    values = np.ldexp(significand.astype(np.float64), np.where(subnormal, 1, exponent) - bias - mantissa_bits)
    top = exponent == (1 << exponent_bits) - 1
    if has_infinity:
        values[top & (mantissa == 0)] = np.inf
        values[top & (mantissa != 0)] = np.nan
    else:
        values[top & (mantissa == (1 << mantissa_bits) - 1)] = np.nan
    return (sign * values).astype(np.float32)


def decode_whole(codes, scales):
    """Whole numbers in two's complement times their scale: one, or one of each output channel."""
    numbers = codes.view(np.dtype(f"int{8 * codes.itemsize}")).astype(np.float64)
    each = scales.astype(np.float64).reshape([-1] + [1] * (codes.ndim - 1))
    return (numbers * each).astype(np.float32)


def decode(codes, number_format, scales):
    """What words read as, float32."""
    if number_format == "fp16":
        return codes.view(np.float16).astype(np.float32)
    if number_format == "bf16":
        return (codes.astype(np.uint32) << 16).view(np.float32)
    if number_format == "fp8_e4m3":
        return decode_fp8(codes, 4, 3, False)
    if number_format == "fp8_e5m2":
        return decode_fp8(codes, 5, 2, True)
    if number_format in ("fxp32", "fxp16", "fxp8", "int8", "int32"):
        return decode_whole(codes, scales)
    raise ValueError(f"number format '{number_format}'")


def main(file):
    worst = 0.0
    with h5py.File(file) as model:
        codes = model.get("codes", {})
        for name in codes:
            number_format = codes[name].attrs["format"]
            if isinstance(number_format, bytes):
                number_format = number_format.decode()
            scales = model["scales"][name][:] if name in model.get("scales", {}) else None
            difference = np.abs(decode(codes[name][...], number_format, scales) - model["parameters"][name][...]).max()
            print(f"{name}  {number_format}  {difference:g}")
            worst = max(worst, float(difference)) if difference == difference else float("nan")
        print(f"{len(codes)} parameters, largest difference {worst:g}")
    return 0 if worst == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
