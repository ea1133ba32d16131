// What the stand-in for a GPU is tested with, in test_host_device.py.

// ---- sums
extern "C" __global__ void by_blocks(const unsigned short* in, unsigned long long* sum, int n) {
    __shared__ unsigned long long partial[64];
    unsigned long long mine = 0;
    for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += gridDim.x * 64) mine += in[i];
    partial[threadIdx.x] = mine;
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) atomicAdd(sum, partial[0]);
}
extern "C" __global__ void __launch_bounds__(64) by_warps(
    const unsigned short* __restrict__ in, unsigned* __restrict__ sum, const int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    unsigned mine = i < n ? __ldg(in + i) : 0;
    for (int k = 16; k > 0; k /= 2) mine += __shfl_down_sync(0xffffffffu, mine, k);
    if (threadIdx.x % 32 == 0) atomicAdd(sum, mine);
}

// ---- the grid, barriers and shared memory
struct Place { int x, y, z; };
__device__ Place place() {
    return {int(blockIdx.x * blockDim.x + threadIdx.x),
            int(blockIdx.y * blockDim.y + threadIdx.y),
            int(blockIdx.z * blockDim.z + threadIdx.z)};
}
extern "C" __global__ void places(Place* out) {
    Place p = place();
    int width = gridDim.x * blockDim.x, height = gridDim.y * blockDim.y;
    out[(p.z * height + p.y) * width + p.x] = p;
}
extern "C" __global__ void neighbors(int* out) {
    __shared__ int cell[96];
    int i = threadIdx.x, n = blockDim.x;
    cell[i] = i;
    for (int round = 0; round < 5; ++round) {
        __syncthreads();
        int next = cell[(i + 1) % n];
        __syncthreads();
        cell[i] = next;
    }
    out[blockIdx.x * n + i] = cell[i];
}
extern "C" __global__ void early(int* out) {  // some threads end before the barrier
    if (threadIdx.x >= 40) return;
    int waiting = __syncthreads_count(threadIdx.x % 2);
    out[threadIdx.x] = waiting * 10 + __syncthreads_or(threadIdx.x == 39) * 2 +
                       __syncthreads_and(threadIdx.x < 40);
}
extern "C" __global__ void left_over(int* out) {
    __shared__ int cell;
    if (blockIdx.x == 1) cell = 7;  // blocks run from the last to the first
    out[blockIdx.x] = cell;
}

// ---- warp functions
constexpr unsigned ALL = 0xffffffffu;
extern "C" __global__ void shuffles(int* out) {
    int i = threadIdx.x, *mine = out + i * 6;
    mine[0] = __shfl_sync(ALL, i, 3);
    mine[1] = __shfl_up_sync(ALL, i, 1);
    mine[2] = __shfl_down_sync(ALL, i, 2);
    mine[3] = __shfl_xor_sync(ALL, i, 5);
    mine[4] = __popc(__ballot_sync(ALL, i % 3 == 0));
    mine[5] = __any_sync(ALL, i == 40) * 2 + __all_sync(ALL, i < 32);
    __syncwarp();
}
extern "C" __global__ void partial(int* out) { out[0] = __shfl_sync(0xffffu, 1, 0); }
extern "C" __global__ void absent(int* out) { out[0] = __shfl_down_sync(ALL, 1, 1); }

// ---- threads that wait for each other
extern "C" __global__ void deadlock(int* out) {
    if (threadIdx.x < 32) __syncthreads();
    else __syncwarp();
    if (threadIdx.x >= 32) __syncwarp();
    if (threadIdx.x == 0) __syncwarp();
    else if (threadIdx.x < 32) __syncthreads();
    *out = 1;
}

// ---- what means different things on a GPU and here
extern "C" __global__ void load(const uint4* in, uint4* out) { *out = *in; }
extern "C" __global__ void store(int* out, int at) {
    __shared__ int cells[4];
    cells[at] = 1;
    *out = cells[0];
}
extern "C" __global__ void shift(unsigned* out, int by) { *out = 1u << by; }
extern "C" __global__ void divide(int* out, int by) { *out = 7 / by; }
extern "C" __global__ void cast(int* out, float value) { *out = int(value); }

// ---- arguments and rounding
extern "C" __global__ void all(double* out, int a, unsigned b, long long c,
                               unsigned long long d, float e, double f, bool g) {
    out[0] = a; out[1] = b; out[2] = c; out[3] = d; out[4] = e; out[5] = f; out[6] = g;
}
extern "C" __global__ void no_contraction(float* out, float a, float b, float c) {
    out[0] = a * b + c;
    out[1] = __fmaf_rn(a, b, c);
}

// ---- atomics, bits, conversions
extern "C" __global__ void atomics(unsigned* out, unsigned long long* wide) {
    atomicMin(out, 5u); atomicMax(out + 1, 5u); atomicOr(out + 2, 6u); atomicAnd(out + 3, 6u);
    if (atomicCAS(out + 4, 9u, 1u) != 9u || atomicCAS(out + 4, 9u, 2u) != 1u) out[4] = 77;
    out[5] = atomicExch(out + 6, 8u);
    atomicMax(wide, 1ull << 40); atomicXor(wide + 1, 1ull << 40);
}
extern "C" __global__ void bits(int* out, float x) {
    out[0] = __float_as_int(x);
    out[1] = __uint_as_float(__float_as_uint(x)) == x;
    out[2] = __float2int_rn(2.5f);
    out[3] = __clz(1) + __clz(0);
    out[4] = __ffs(8);
    out[5] = min(3, -4) + max(2u, 3u) + int(max(1.5f, 0.5f)) + int(rintf(3.5f));
    uint4 four = make_uint4(1, 2, 3, 4);
    out[6] = four.x + four.w + sizeof(ushort4) + alignof(uint4);
}
