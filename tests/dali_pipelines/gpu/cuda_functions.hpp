// CUDA's vectors and device functions on the CPU: barriers, votes, shuffles, atomics, rounding.
//
// Threads run one at a time, so an atomic is a plain read and write. Arithmetic that names its
// rounding (__fadd_rn) is plain IEEE 754 arithmetic, which the compiler is told not to contract.
#pragma once
#include "cuda_shim.hpp"

#define SHIM_VECTORS(type, name)                                                             \
    struct alignas(2 * sizeof(type)) name##2 { type x, y; };                                 \
    struct alignas(4 * sizeof(type)) name##4 { type x, y, z, w; };                           \
    inline name##2 make_##name##2(type x, type y) { return {x, y}; }                         \
    inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
SHIM_VECTORS(unsigned char, uchar)
SHIM_VECTORS(short, short)
SHIM_VECTORS(unsigned short, ushort)
SHIM_VECTORS(int, int)
SHIM_VECTORS(unsigned int, uint)
SHIM_VECTORS(float, float)

namespace shim {

inline void want_all_lanes(unsigned mask) {
    if (mask != ALL_LANES) fail("a warp function is called with a mask that leaves out lanes");
}

inline unsigned lane() { return current % warpSize; }

// The value that lane `source` of this warp shows; all its lanes must come here.
template <class T>
T shuffle(unsigned mask, T value, unsigned source) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    want_all_lanes(mask);
    memcpy(&threads[current].shown, &value, sizeof(T));
    wait(State::at_warp_barrier);
    unsigned from = current - lane() + source;
    if (from >= threads.size() || threads[from].state == State::finished)
        fail("a shuffle reads a lane that is not there");
    memcpy(&value, &threads[from].shown, sizeof(T));
    wait(State::at_warp_barrier);  // until all have read
    return value;
}

// How many threads of [first, end) call this with a predicate that is not zero; bit i of `ballot`
// says whether the i-th of the first 32 does.
inline unsigned vote(State barrier, unsigned first, unsigned end, int predicate,
                     unsigned* ballot = nullptr) {
    threads[current].shown = predicate != 0;
    wait(barrier);
    unsigned count = 0;
    for (unsigned i = first; i < end && i < threads.size(); i++) {
        count += threads[i].shown != 0;
        if (ballot && threads[i].shown) *ballot |= 1u << (i - first);
    }
    wait(barrier);
    return count;
}

using ull = unsigned long long;

template <class T, class... Allowed>
constexpr bool is_one_of = (std::is_same_v<T, Allowed> || ...);

// The value before; `next` gives the value after. The types are those that CUDA has on every GPU.
template <class T, class Next>
T exchange(T* address, Next next) {
    T before = *address;
    *address = next(before);
    return before;
}

template <class To, class From>
To bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof(To));
    return to;
}

}  // namespace shim

inline void __syncthreads() { shim::wait(shim::State::at_block_barrier); }
inline int __syncthreads_count(int predicate) {
    return shim::vote(shim::State::at_block_barrier, 0, shim::threads.size(), predicate);
}
inline int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) > 0; }
inline int __syncthreads_and(int predicate) { return __syncthreads_count(!predicate) == 0; }
inline void __threadfence() {}
inline void __threadfence_block() {}

inline void __syncwarp(unsigned mask = shim::ALL_LANES) {
    shim::want_all_lanes(mask);
    shim::wait(shim::State::at_warp_barrier);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    shim::want_all_lanes(mask);
    unsigned ballot = 0, first = shim::current - shim::lane();
    shim::vote(shim::State::at_warp_barrier, first, first + warpSize, predicate, &ballot);
    return ballot;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return !__any_sync(mask, !predicate); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
    return shim::shuffle(mask, value, unsigned(source) % warpSize);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
    return shim::shuffle(mask, value, (shim::lane() ^ unsigned(bits)) % warpSize);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
    unsigned lane = shim::lane();
    return shim::shuffle(mask, value, lane < delta ? lane : lane - delta);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
    unsigned lane = shim::lane();
    return shim::shuffle(mask, value, lane + delta < warpSize ? lane + delta : lane);
}

#define SHIM_ATOMIC(name, after, ...)                                                        \
    template <class T>                                                                       \
    T name(T* address, std::common_type_t<T> value) {                                        \
        static_assert(shim::is_one_of<T, __VA_ARGS__>, "CUDA has no such " #name);         \
        return shim::exchange(address, [=](T before) -> T { return after; });                \
    }
SHIM_ATOMIC(atomicAdd, before + value, int, unsigned, shim::ull, float, double)
SHIM_ATOMIC(atomicSub, before - value, int, unsigned)
SHIM_ATOMIC(atomicMin, value < before ? value : before, int, unsigned, long long, shim::ull)
SHIM_ATOMIC(atomicMax, value > before ? value : before, int, unsigned, long long, shim::ull)
SHIM_ATOMIC(atomicAnd, before & value, int, unsigned, shim::ull)
SHIM_ATOMIC(atomicOr, before | value, int, unsigned, shim::ull)
SHIM_ATOMIC(atomicXor, before ^ value, int, unsigned, shim::ull)
SHIM_ATOMIC(atomicExch, (void(before), value), int, unsigned, shim::ull, float)
#undef SHIM_ATOMIC
template <class T>
T atomicCAS(T* address, std::common_type_t<T> compare, std::common_type_t<T> value) {
    static_assert(shim::is_one_of<T, int, unsigned, shim::ull>, "CUDA has no such atomicCAS");
    return shim::exchange(address, [=](T before) { return before == compare ? value : before; });
}

template <class T>
T __ldg(const T* address) { return *address; }
template <class T>
T __ldcs(const T* address) { return *address; }
template <class T>
void __stcs(T* address, T value) { *address = value; }

#define SHIM_MIN_MAX(type)                                            \
    inline type min(type a, type b) { return b < a ? b : a; }         \
    inline type max(type a, type b) { return a < b ? b : a; }
SHIM_MIN_MAX(int)
SHIM_MIN_MAX(unsigned)
SHIM_MIN_MAX(long)
SHIM_MIN_MAX(unsigned long)
SHIM_MIN_MAX(long long)
SHIM_MIN_MAX(shim::ull)
#undef SHIM_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }  // of a number and NaN the number
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(shim::ull x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(shim::ull(a) * b >> 32); }

inline unsigned __float_as_uint(float x) { return shim::bits<unsigned>(x); }
inline int __float_as_int(float x) { return shim::bits<int>(x); }
inline float __uint_as_float(unsigned x) { return shim::bits<float>(x); }
inline float __int_as_float(int x) { return shim::bits<float>(x); }
inline long long __double_as_longlong(double x) { return shim::bits<long long>(x); }
inline double __longlong_as_double(long long x) { return shim::bits<double>(x); }

inline int __float2int_rn(float x) { return int(rintf(x)); }
inline int __float2int_rd(float x) { return int(floorf(x)); }
inline int __float2int_ru(float x) { return int(ceilf(x)); }
inline int __float2int_rz(float x) { return int(x); }
inline unsigned __float2uint_rn(float x) { return unsigned(rintf(x)); }
inline float __int2float_rn(int x) { return float(x); }
inline float __uint2float_rn(unsigned x) { return float(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
