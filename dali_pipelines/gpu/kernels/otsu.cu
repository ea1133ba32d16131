// Thumbnails of a batch, made black and white at Otsu's threshold, as in cpu/finders/otsu.py.
//
// shrink reads 4 px of 2 bytes and writes 1 byte for each px of a thumbnail, 99 k of them for a
// breast that is half as wide as high; binarize reads 25 bytes of the cache for the Gaussian and 9
// for the dilation. That is 0.5 MB and 12 million operations an image, nearly all in one thread
// block of 1024: 97 px a thread. These are counts; none is a measurement.
//
// All are integers but for the variances of 256 levels, doubles in the order of the CPU.

#include "tally.cuh"

constexpr int LEVELS = 256;
constexpr int LEVEL_STEP = 257;  // roi_settings.LEVEL_STEP
constexpr int THREADS = 256, BINARIZE_THREADS = 1024;

struct Image {  // thumbnails._IMAGE
    const unsigned short* values;  // (source_height, source_width)
    unsigned char* levels;         // (height, width), as are the next two
    unsigned char* smooth;
    unsigned short* lit;
    int source_height, source_width, height, width;
    int rank;  // from 0, of the greatest level that stays

    __device__ int count() const { return height * width; }
};

// The px before and after the center of a sample, and the weight of the second in 2 * count-ths.
struct Neighbors {
    int first, second, weight;
    __device__ Neighbors(int index, int count, int length) {
        const long long center = max((2 * index + 1LL) * length - count, 0LL);
        first = int(center / (2 * count));
        second = min(first + 1, length - 1);
        weight = int(center % (2 * count));
    }
};

// One thread a px of the thumbnails: grid (enough for the largest, images).
extern "C" __global__ void __launch_bounds__(THREADS) shrink(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= image.count()) return;
    const Neighbors rows(i / image.width, image.height, image.source_height);
    const Neighbors columns(i % image.width, image.width, image.source_width);
    const long long nearer = 2 * image.width - columns.weight;
    const unsigned short* upper = image.values + (long long)rows.first * image.source_width;
    const unsigned short* lower = image.values + (long long)rows.second * image.source_width;
    const long long above = upper[columns.first] * nearer +
                            upper[columns.second] * (long long)columns.weight;
    const long long below = lower[columns.first] * nearer +
                            lower[columns.second] * (long long)columns.weight;
    const long long total = above * (2 * image.height - rows.weight) + below * rows.weight;
    image.levels[i] = total / (4LL * image.height * image.width * LEVEL_STEP);
}

struct Clip {
    int least, top;  // levels above the top become the least
    __device__ int operator()(int level) const { return level > top ? least : level; }
};

__device__ Clip clip_of(const int* counts, int rank) {
    Clip clip = {LEVELS, 0};
    int upto = 0;
    for (int level = LEVELS - 1; level >= 0; --level)
        if (counts[level]) clip.least = level;
    while ((upto += counts[clip.top]) <= rank) ++clip.top;
    return clip;
}

// Mirrored at the edge px, which is not repeated.
__device__ int inside(int i, int length) {
    if (length == 1) return 0;
    while (i < 0 || i >= length) i = i < 0 ? -i : 2 * (length - 1) - i;
    return i;
}

__device__ int smoothed(const Image& image, const Clip& clip, int i) {
    const int GAUSSIAN[5] = {1, 4, 6, 4, 1};
    const int row = i / image.width, column = i % image.width;
    int sum = 128;
    for (int y = 0; y < 5; ++y) {
        const unsigned char* levels = image.levels + inside(row + y - 2, image.height) * image.width;
        for (int x = 0; x < 5; ++x)
            sum += GAUSSIAN[y] * GAUSSIAN[x] * clip(levels[inside(column + x - 2, image.width)]);
    }
    return sum / 256;
}

__device__ int otsu_threshold(const int* counts, int count) {
    long long sum = 0, dark_sum = 0;
    for (int level = 0; level < LEVELS; ++level) sum += (long long)counts[level] * level;
    long long dark = 0;
    double best = 0;
    int threshold = 0;
    for (int level = 0; level < LEVELS; ++level) {
        dark += counts[level];
        dark_sum += (long long)counts[level] * level;
        const double difference = double(count * dark_sum - dark * sum);
        const double weight = double(max(dark * (count - dark), 1LL));
        const double variance = difference * difference / weight;
        if (variance > best) {
            best = variance;
            threshold = level;
        }
    }
    return threshold;
}

__device__ bool lit_nearby(const Image& image, int threshold, int i) {
    const int row = i / image.width, column = i % image.width;
    for (int y = max(row - 1, 0); y <= min(row + 1, image.height - 1); ++y)
        for (int x = max(column - 1, 0); x <= min(column + 1, image.width - 1); ++x)
            if (image.smooth[y * image.width + x] > threshold) return true;
    return false;
}

// Clip, Gaussian, threshold, dilation. One thread block an image: grid (images).
extern "C" __global__ void __launch_bounds__(BINARIZE_THREADS)
    binarize(const Image* __restrict__ images) {
    __shared__ int counts[LEVELS];
    __shared__ Clip clip;
    __shared__ int threshold;
    const Image image = images[blockIdx.x];
    const int thread = threadIdx.x, count = image.count();
    if (thread < LEVELS) counts[thread] = 0;
    __syncthreads();
    Tally before(counts);
    for (int i = thread; i < count; i += BINARIZE_THREADS) before.add(image.levels[i]);
    before.flush();
    __syncthreads();
    if (thread == 0) clip = clip_of(counts, image.rank);
    __syncthreads();
    if (thread < LEVELS) counts[thread] = 0;
    __syncthreads();
    Tally after(counts);
    for (int i = thread; i < count; i += BINARIZE_THREADS) {
        const int level = smoothed(image, clip, i);
        image.smooth[i] = level;
        after.add(level);
    }
    after.flush();
    __syncthreads();
    if (thread == 0) threshold = otsu_threshold(counts, count);
    __syncthreads();
    for (int i = thread; i < count; i += BINARIZE_THREADS)
        image.lit[i] = lit_nearby(image, threshold, i);
}
