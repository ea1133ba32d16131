// Each image by its own values: its least and greatest, or its mean and deviation, then all of it.
//
// Same numbers as cpu/normalize.py, to the bit: the least and greatest are exact; the sums are of
// integers, which are exact in any order; mean, deviation and scale are in double.
//
// Bytes for an image of n px and c channels of b bytes: the resize before writes 4 n to a canvas of
// float, `measure` reads 4 n and writes 24, `normalize` reads 4 n and writes n c b. 1536 x 768 to
// one float32: 18.9 MB beyond what the resize reads, where it alone would write 4.7 MB: 6 us at the
// 3.35 TB/s of an H100, 59 us at the 320 GB/s of a T4, less where the canvas stays in the cache.
// Operations: measure has 10 for a px, 2 of them in 64-bit integers, and 4 atomics for the 512 px
// of 32 threads. normalize has 2 for each px and channel; with `eight_bits` also 3 in double for
// each px, among them a division of some 20: 0.2 ms of a T4 for 1.2 million px. All of these are
// counts; none is a measurement.
#include "output_values.cuh"

constexpr unsigned ALL_LANES = 0xffffffff;
constexpr double LEAST_DEVIATION = 1e-5 * 65535;  // output_values.LEAST_DEVIATION

struct Measure {  // gpu/resize.py fills it before
    unsigned long long sum, square;  // of values rounded to integers
    unsigned low, high;              // bits of floats from 0 on, which are ordered as these are
};

struct Spread {
    float offset, scale[3];
    double unit;  // what becomes 1 after the offset is subtracted
};

// Block (256); grid (blocks, images). `values` (N, count) are display values.
extern "C" __global__ void measure(const float* __restrict__ values, Measure* measures,
                                   int count) {
    const float* image = values + (long long)blockIdx.y * count;
    unsigned low = 0xffffffff, high = 0;
    unsigned long long sum = 0, square = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        unsigned bits = __float_as_uint(image[i]);
        unsigned long long level = (unsigned)rintf(image[i]);
        low = min(low, bits);
        high = max(high, bits);
        sum += level;
        square += level * level;
    }
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        low = min(low, __shfl_xor_sync(ALL_LANES, low, lanes));
        high = max(high, __shfl_xor_sync(ALL_LANES, high, lanes));
        sum += __shfl_xor_sync(ALL_LANES, sum, lanes);
        square += __shfl_xor_sync(ALL_LANES, square, lanes);
    }
    if (threadIdx.x % 32) return;
    Measure& measure = measures[blockIdx.y];
    atomicMin(&measure.low, low);
    atomicMax(&measure.high, high);
    atomicAdd(&measure.sum, sum);
    atomicAdd(&measure.square, square);
}

// What is subtracted from an image's values, and what is to become 1 then.
static __device__ Spread spread(const Measure& measure, int count, int standardize) {
    Spread found = {};
    if (standardize) {
        double mean = double(measure.sum) / count;
        double variance = double(measure.square) / count - mean * mean;
        found.offset = mean;
        found.unit = fmax(sqrt(fmax(variance, 0.)), LEAST_DEVIATION);
    } else {
        found.offset = __uint_as_float(measure.low);
        found.unit = double(__uint_as_float(measure.high)) - double(found.offset);
        if (found.unit == 0) found.unit = 1;  // an image of one value becomes black
    }
    return found;
}

// Block (256); grid (blocks, images). `out` (N, channels, count). With `eight_bits` what is spread
// is rounded down to 255 parts. `shift` and `std` are of each channel.
extern "C" __global__ void normalize(const float* __restrict__ values,
                                     const Measure* __restrict__ measures, void* out, int count,
                                     int dtype, int channels, int standardize, int eight_bits,
                                     float shift0, float shift1, float shift2, double std0,
                                     double std1, double std2) {
    __shared__ Spread found;
    if (threadIdx.x == 0) {
        found = spread(measures[blockIdx.y], count, standardize);
        double unit = eight_bits ? 255 : found.unit;
        found.scale[0] = 1 / (unit * std0);
        found.scale[1] = 1 / (unit * std1);
        found.scale[2] = 1 / (unit * std2);
    }
    __syncthreads();
    const float shift[3] = {shift0, shift1, shift2};
    const float* image = values + (long long)blockIdx.y * count;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
        float value = image[i] - found.offset;
        if (eight_bits) value = floor(double(value) * 255 / found.unit);
#pragma unroll
        for (int channel = 0; channel < 3; channel++) {
            if (channel >= channels) break;
            long long plane = (long long)blockIdx.y * channels + channel;
            store(out, plane * count + i, dtype, value * found.scale[channel] + shift[channel]);
        }
    }
}
