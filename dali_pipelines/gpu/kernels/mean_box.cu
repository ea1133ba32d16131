// The ends of profiles of bright px: cpu/finders/mean_profile.py, which names the method.
//
// A line costs a read and two divisions. Counts are exact; what is made of them is double
// precision, each operation rounded once, in the order of the CPU.
#include "lines.cuh"

constexpr int EDGE = 5;            // lines at each end that count as 0
constexpr double OFFSET = 1e-4;    // keeps a profile of one value from a division by 0

// Sets what is bright: levels above their mean, from the sums of the columns. A whole number is
// above the mean exactly where it is above the mean rounded down. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS)
set_mean(Image* images, const Sum* __restrict__ sums) {
    __shared__ Sum total;
    Image& image = images[blockIdx.x];
    if (threadIdx.x == 0) total = 0;
    __syncthreads();
    Sum own = 0;
    for (int i = threadIdx.x; i < image.width; i += blockDim.x) own += sums[image.first + i];
    atomicAdd(&total, own);
    __syncthreads();
    if (threadIdx.x) return;
    const int mean = (int)(total / ((Sum)image.height * image.width));
    image.above = (mean + 1) * LEVEL_STEP - 1;
}

struct Ends {
    int first, after;
};

// The ends of what is kept of `count` lines of `of` px; the same for all threads.
__device__ Ends find_ends(const Sum* bright, int count, int of, double threshold, int buffer) {
    __shared__ Sum most, least;
    __shared__ int first, last;
    if (threadIdx.x == 0) {
        most = 0;
        least = ~0ull;
        first = count;
        last = -1;
    }
    __syncthreads();
    const auto bright_in = [&](int i) {
        return i < EDGE || i >= count - EDGE ? 0 : bright[i];
    };
    Sum own_most = 0, own_least = ~0ull;
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        own_most = max(own_most, bright_in(i));
        own_least = min(own_least, bright_in(i));
    }
    atomicMax(&most, own_most);
    atomicMin(&least, own_least);
    __syncthreads();
    const double low = (double)least / of, high = (double)most / of;
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        const double share = (double)bright_in(i) / of;
        if (!((share - low + OFFSET) / (high - low + OFFSET) > threshold)) continue;
        atomicMin(&first, i);
        atomicMax(&last, i);
    }
    __syncthreads();
    if (last < 0) return {0, count};
    return {max(0, first - buffer), min(count, last + buffer)};
}

// Sets each box's columns from their numbers of bright px. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS)
find_columns(const Image* __restrict__ images, const Sum* __restrict__ bright, double threshold,
             int buffer, Box* boxes) {
    const Image image = images[blockIdx.x];
    const Ends ends = find_ends(bright + image.first, image.width, image.height, threshold, buffer);
    if (threadIdx.x == 0)
        boxes[blockIdx.x] = {0, image.height, ends.first, ends.after, 0, 1};
}

// Sets each box's rows. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS)
find_rows(const Image* __restrict__ images, const Sum* __restrict__ bright, double threshold,
          int buffer, Box* boxes) {
    const Image image = images[blockIdx.x];
    const Ends ends = find_ends(bright + image.first, image.height, image.width, threshold, buffer);
    if (threadIdx.x) return;
    boxes[blockIdx.x].top = ends.first;
    boxes[blockIdx.x].bottom = ends.after;
}
