// The bits that decoded lossless JPEGs need by their Huffman tables, and their extreme values: all
// images of a batch in one launch. The numbers are those of codestream/bit_budget.py.
//
// A block takes a tile of TILE_ROWS x TILE_COLUMNS px of one restart interval, a thread one column
// of it from the top down: what was at hand and to the left is above and corner a row later. Each
// predictor is one weighted sum of the three, halved or not, so none of them branches.
//
// Bytes: each px comes from DRAM once, 2 B. Its right neighbor loads it again, and so does the tile
// below if it lies in a last row, one px in 32: both find it in the cache.
// Operations: 23 instructions a px (in the code for sm_90), nearly all integer: two loads, one
// look-up in shared memory, where the 17 costs lie in 17 banks, three multiplications. 8.5 MP are
// 17 MB, which take 5 us at the 3.35 TB/s of an H100, and 200 million instructions of a thread,
// 13 us at 64 a cycle on each of 132 multiprocessors of 1.75 GHz.
// The reduction takes 30 instructions a thread, 1 a px, and 3 atomics a tile of 8192 px. Intervals
// of a single row leave tiles of one row, where the reduction is most of the work.
// All of these are counts; none is a measurement.
constexpr int TILE_ROWS = 32, TILE_COLUMNS = 256;  // gpu/proof.py has them too
constexpr int CATEGORIES = 17;                     // of a difference: 0 to 16, T.81 table H.2
constexpr int UNCODED = 255;                       // bit_budget.UNCODED
constexpr unsigned ALL_LANES = 0xffffffffu;

// A difference without a code must show in the sum. A tile's costs stay below the first number, as
// a code takes at most 16 bits and 15 more follow it: 31 * 8192 < 2^18. An image's stay below the
// second, 31 * 65535^2 < 2^38; and 2^19 tiles of it do not overflow a sum.
constexpr unsigned UNCODED_PX = 1u << 18;
constexpr unsigned long long UNCODED_TILE = 1ull << 40;
static_assert(31 * TILE_ROWS * TILE_COLUMNS < UNCODED_PX, "a tile's costs reach UNCODED_PX");

struct Weights {
    int left, above, corner;
    int halvings;  // 0 or 1: the sum is shifted right by it
};

struct Image {                     // proof._IMAGE
    const unsigned short* values;  // (height, width), the samples shifted left by `shift`
    long long first;               // index of its numbers in the report
    int height, width, shift;
    int rows;                      // in a restart interval
    int middle;                    // predicts the first sample of an interval
    Weights weights;
    unsigned char costs[CATEGORIES];
};

struct Extremes {
    int lowest, highest;
};

__device__ int predict(Weights weights, int left, int above, int corner) {
    const int sum = weights.left * left + weights.above * above + weights.corner * corner;
    return sum >> weights.halvings;
}

// The category of a difference modulo 2^16: the bits of its magnitude, 16 for -32768.
__device__ int category(int difference) {
    const int wrapped = static_cast<short>(difference & 0xffff);
    return 32 - __clz(wrapped < 0 ? -wrapped : wrapped);
}

// The bits of rows [top, bottom) of one column; `starts`: row `top` begins an interval.
__device__ unsigned walk_column(const Image& image, const unsigned* costs, int column, int top,
                                int bottom, bool starts, Extremes& extremes) {
    const Weights first_row = {1, 0, 0, 0}, first_column = {0, 1, 0, 0};
    const Weights inner = column > 0 ? image.weights : first_column;
    Weights weights = starts ? first_row : inner;
    const unsigned short* px = image.values + (long long)top * image.width + column;
    int above = starts ? 0 : px[-image.width] >> image.shift;
    int corner = starts || column == 0 ? 0 : px[-image.width - 1] >> image.shift;
    unsigned bits = 0;
#pragma unroll 4  // loads under way at once
    for (int row = top; row < bottom; ++row) {
        const int here = px[0] >> image.shift;
        const int left = column > 0 ? px[-1] >> image.shift : image.middle;
        bits += costs[category(here - predict(weights, left, above, corner))];
        extremes.lowest = min(extremes.lowest, here);
        extremes.highest = max(extremes.highest, here);
        above = here;
        corner = left;
        weights = inner;
        px += image.width;
    }
    return bits;
}

// Adds to the report, which starts as zeros, for each image from `first` on: its highest sample,
// 65535 less its lowest, and the bits of each interval.
// Grid (most tiles across an image, most tiles down an image, images).
extern "C" __global__ void __launch_bounds__(TILE_COLUMNS)
count_bits(const Image* __restrict__ images, unsigned long long* __restrict__ report) {
    __shared__ unsigned costs[CATEGORIES];
    __shared__ unsigned bits, highest, below_top;
    const Image& image = images[blockIdx.z];
    const int tiles = (image.rows + TILE_ROWS - 1) / TILE_ROWS;  // down an interval
    const int interval = blockIdx.y / tiles, tile = blockIdx.y % tiles;
    const int top = interval * image.rows + tile * TILE_ROWS;
    const int bottom = min(min(top + TILE_ROWS, (interval + 1) * image.rows), image.height);
    if (top >= bottom || blockIdx.x * TILE_COLUMNS >= image.width) return;

    const int thread = threadIdx.x;
    if (thread < CATEGORIES)
        costs[thread] = image.costs[thread] == UNCODED ? UNCODED_PX : image.costs[thread];
    if (thread == 0) bits = highest = below_top = 0;
    __syncthreads();

    const int column = blockIdx.x * TILE_COLUMNS + thread;
    Extremes extremes = {0xffff, 0};
    unsigned sum = 0;
    if (column < image.width)
        sum = walk_column(image, costs, column, top, bottom, tile == 0, extremes);
    for (int step = 16; step > 0; step /= 2) {
        const int lowest = __shfl_xor_sync(ALL_LANES, extremes.lowest, step);
        const int highest = __shfl_xor_sync(ALL_LANES, extremes.highest, step);
        extremes = {min(extremes.lowest, lowest), max(extremes.highest, highest)};
        sum += __shfl_xor_sync(ALL_LANES, sum, step);
    }
    if (thread % warpSize == 0) {
        atomicAdd(&bits, sum);
        atomicMax(&highest, static_cast<unsigned>(extremes.highest));
        atomicMax(&below_top, static_cast<unsigned>(0xffff - extremes.lowest));
    }
    __syncthreads();

    if (thread > 0) return;
    unsigned long long* numbers = report + image.first;
    atomicMax(&numbers[0], static_cast<unsigned long long>(highest));
    atomicMax(&numbers[1], static_cast<unsigned long long>(below_top));
    atomicAdd(&numbers[2 + interval], bits < UNCODED_PX ? bits : UNCODED_TILE);
}
