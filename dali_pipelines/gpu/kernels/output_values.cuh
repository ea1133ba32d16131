// The forms in which a number is written out.
enum Dtype { FLOAT32, BFLOAT16, FLOAT16 };  // gpu/resize.py has them in this order

// Bits of the nearest bfloat16, halves to even: float32 without its lower half.
static __device__ unsigned short bfloat16_bits(float value) {
    unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;  // NaN would carry into -0
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// Bits of the nearest IEEE 754 binary16, halves to even. What rounds up to 2**16 becomes infinite:
// the carry out of the largest exponent gives those bits.
static __device__ unsigned short float16_bits(float value) {
    unsigned bits = __float_as_uint(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) return 0x7e00;          // not a number
    if (size >= 0x47800000) return sign | 0x7c00;  // 2**16 and more
    unsigned kept = size - 0x38000000, drop = 13;  // the exponent's bias is 15 for 127
    if (size < 0x38800000) {                       // below 2**-14: count units of 2**-24
        kept = (size & 0x7fffff) | 0x800000;
        drop = min(126 - (size >> 23), 25u);  // 25: less than half a unit
    }
    return sign | (kept + (1u << (drop - 1)) - 1 + (kept >> drop & 1)) >> drop;
}

static __device__ void store(void* out, long long index, int dtype, float value) {
    if (dtype == FLOAT32) static_cast<float*>(out)[index] = value;
    else static_cast<unsigned short*>(out)[index] =
             dtype == BFLOAT16 ? bfloat16_bits(value) : float16_bits(value);
}
