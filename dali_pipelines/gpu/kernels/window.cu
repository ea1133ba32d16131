// Stored values to display values, for all images of a batch in each launch: cpu/window.py in
// integers, and so the same to the bit.
//
// A px takes one shift, one mask and one gather. `window` reads 2 bytes and writes 2. A stretch
// reads 2 more, for its statistics, and is then worked into the table, so that the display values
// are still written only once. For 13.6 MP that is 55 MB or 82 MB. The tables, 2**bits entries of 2
// bytes, stay in the caches: 8 KB for 12 bits, 128 KB for 16. A sigmoid takes 28 divisions and 57
// other operations of float64 an entry, 5.6 million for 16 bits.
// `histogram` adds a run of equal values at once, because most of a mammogram is one black: a
// thread meets it px after px, and all threads would queue at one counter.
// These are counts; none is a measurement.

constexpr int DISPLAY_LEVELS = 65536;
constexpr unsigned DISPLAY_TOP = DISPLAY_LEVELS - 1;
constexpr unsigned ALL_LANES = 0xffffffff;
constexpr int PACK_PX = 8;  // 16 bytes, the most that one load brings
constexpr int SCAN_THREADS = 1024;
constexpr unsigned LEVEL = 257;    // cpu/window.py has this and the next
constexpr int SERIES_TERMS = 26;

struct Image {  // window._IMAGE
    const unsigned short* values;
    unsigned short* display;
    unsigned short* table;  // mask + 1 display values
    long long count;        // px
    int shift, mask;        // the stored value of v is v >> shift & mask
    unsigned black_rank, white_rank;  // from 1
    unsigned black, white;  // the display values that a stretch turns into 0 and 65535
    int nearest, sigmoid, eight_bits;  // how: rounded to the nearest or down, and so on
    int unused;
};

struct alignas(2 * PACK_PX) Pack {
    unsigned short px[PACK_PX];
};

// The px of one image that this thread has a part in: i of packs from first_pack() on, then px from
// first_px() on, both by step(). There are packs only where all of them may be loaded and stored.
struct Share {
    long long packs, count;

    __device__ explicit Share(const Image& image) : packs(0), count(image.count) {
        const auto addresses = reinterpret_cast<unsigned long long>(image.values) |
                               reinterpret_cast<unsigned long long>(image.display);
        if (addresses % sizeof(Pack) == 0) packs = count / PACK_PX;
    }
    __device__ long long first_pack() const {
        return (long long)blockIdx.x * blockDim.x + threadIdx.x;
    }
    __device__ long long first_px() const { return packs * PACK_PX + first_pack(); }
    __device__ long long step() const { return (long long)gridDim.x * blockDim.x; }
};

__device__ unsigned short display_of(const Image& image, unsigned short value) {
    return image.table[value >> image.shift & image.mask];
}

// Calls visit(display value) for each px of this thread.
template <class Visit>
__device__ void visit_displays(const Image& described, Visit visit) {
    const Image image = described;  // in registers
    const Share share(image);
    const Pack* packs = reinterpret_cast<const Pack*>(image.values);
    for (long long i = share.first_pack(); i < share.packs; i += share.step()) {
        const Pack pack = packs[i];
        for (int k = 0; k < PACK_PX; ++k) visit(display_of(image, pack.px[k]));
    }
    for (long long i = share.first_px(); i < share.count; i += share.step())
        visit(display_of(image, image.values[i]));
}

// Writes the display values. Grid (enough for the largest image, images), as for all that follow.
extern "C" __global__ void window(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    const Share share(image);
    const Pack* packs = reinterpret_cast<const Pack*>(image.values);
    Pack* display_packs = reinterpret_cast<Pack*>(image.display);
    for (long long i = share.first_pack(); i < share.packs; i += share.step()) {
        Pack pack = packs[i];
        for (int k = 0; k < PACK_PX; ++k) pack.px[k] = display_of(image, pack.px[k]);
        display_packs[i] = pack;
    }
    for (long long i = share.first_px(); i < share.count; i += share.step())
        image.display[i] = display_of(image, image.values[i]);
}

// Sets black and white, which must be 65535 and 0 before, to the extremes of the display values.
extern "C" __global__ void extremes(Image* images) {
    __shared__ unsigned least, largest;
    if (threadIdx.x == 0) {
        least = DISPLAY_TOP;
        largest = 0;
    }
    __syncthreads();
    unsigned low = DISPLAY_TOP, high = 0;
    visit_displays(images[blockIdx.y], [&](unsigned display) {
        low = min(low, display);
        high = max(high, display);
    });
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        low = min(low, __shfl_xor_sync(ALL_LANES, low, lanes));
        high = max(high, __shfl_xor_sync(ALL_LANES, high, lanes));
    }
    if (threadIdx.x % 32 == 0) {
        atomicMin(&least, low);
        atomicMax(&largest, high);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        atomicMin(&images[blockIdx.y].black, least);
        atomicMax(&images[blockIdx.y].white, largest);
    }
}

// Counts each image's display values in its 65,536 `counters`, which must be 0 before.
extern "C" __global__ void histogram(const Image* __restrict__ images, unsigned* counters) {
    unsigned* const counts = counters + (long long)blockIdx.y * DISPLAY_LEVELS;
    unsigned run_of = 0, run = 0;
    visit_displays(images[blockIdx.y], [&](unsigned display) {
        if (display != run_of) {
            if (run) atomicAdd(&counts[run_of], run);
            run_of = display;
            run = 0;
        }
        ++run;
    });
    if (run) atomicAdd(&counts[run_of], run);
}

// Sets black and white to the display values at their ranks. Block SCAN_THREADS; grid (1, images).
extern "C" __global__ void __launch_bounds__(SCAN_THREADS)
    find_ranks(Image* images, const unsigned* __restrict__ counters) {
    constexpr int LEVELS = DISPLAY_LEVELS / SCAN_THREADS;
    __shared__ unsigned sums[SCAN_THREADS];
    const int first = threadIdx.x * LEVELS;
    const unsigned* const counts = counters + (long long)blockIdx.y * DISPLAY_LEVELS + first;
    unsigned sum = 0;
    for (int level = 0; level < LEVELS; ++level) sum += counts[level];

    unsigned upto = sum;  // px in the levels of this thread and of the `reach` - 1 before it
    for (int reach = 1; reach < SCAN_THREADS; reach *= 2) {
        sums[threadIdx.x] = upto;
        __syncthreads();
        if (threadIdx.x >= reach) upto += sums[threadIdx.x - reach];
        __syncthreads();
    }

    Image& image = images[blockIdx.y];
    const unsigned black_rank = image.black_rank, white_rank = image.white_rank;
    unsigned before = upto - sum;
    for (int level = 0; level < LEVELS; ++level) {
        const unsigned through = before + counts[level];
        if (before < black_rank && black_rank <= through) image.black = first + level;
        if (before < white_rank && white_rank <= through) image.white = first + level;
        before = through;
    }
}

// 65535 / (1 + exp(-4 (display - c) / w)), c = (black + white + 1) / 2, w = white - black + 1, in the
// order of cpu/window.py.
__device__ unsigned short sigmoid_of(const Image& image, unsigned display) {
    const int inside = min(max(display, image.black), image.white);
    const int black = image.black, white = image.white;
    const double exponent = 2.0 * (black + white + 1 - 2 * inside) / (white - black + 1);
    double power = 1.0;
    for (int term = SERIES_TERMS; term > 0; --term) power = 1.0 + exponent / term * power;
    const double shown = DISPLAY_TOP / (1.0 + power);
    return (unsigned short)(image.nearest ? shown + 0.5 : shown);
}

// Black to 0, white to 65535, linear between. Where black equals white, values up to it are 0 and
// those above 65535.
__device__ unsigned short linear_of(const Image& image, unsigned display) {
    if (display <= image.black) return 0;
    if (display >= image.white) return DISPLAY_TOP;
    const unsigned span = image.white - image.black;
    const unsigned long long above = display - image.black;
    return (2 * DISPLAY_TOP * above + (image.nearest ? span : 0)) / (2 * span);
}

// Works the stretch into the tables, and the levels that are kept.
extern "C" __global__ void stretch(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i <= image.mask;
         i += gridDim.x * blockDim.x) {
        const unsigned display = image.table[i];
        const unsigned spread =
            image.sigmoid ? sigmoid_of(image, display) : linear_of(image, display);
        image.table[i] = image.eight_bits ? spread / LEVEL * LEVEL : spread;
    }
}
