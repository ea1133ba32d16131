// The box around the breast in each reduced image of a batch, as in cpu/roi.py: threshold above the
// background, label the parts, measure the largest. block_means.cu made the reduced images.
//
// They have at most 256 x 256 px, each of which costs about 50 bytes, nearly all in the cache, and
// 100 operations: for 8.5 MP, in blocks of 13 x 13, 0.3 bytes and 0.6 operations to each px of the
// image. These are counts; none is a measurement.
//
// All values are integers but for the margin, which is one rounded product of doubles.

constexpr int LEVEL_WIDTH = 256;  // display values in one level of the histogram
constexpr int DARK_LEVELS = 128;  // levels in the darker half of the range
constexpr int NOT_LIT = -1;       // the label of what is not above the threshold

struct Image {  // roi._IMAGE
    const unsigned short* values;  // (height, width) display values
    long long first;               // index of its first px in the reduced images of the batch
    int height, width, edge;       // px; edge: of a block
    int rows, columns;             // of the reduced image
    int least_area;                // blocks in a box that is large enough
};

// Counts in memory that threads share, added up by each thread for as long as the bin stays: most
// px lie in the background or in the breast, and would all queue at one address.
struct Tally {
    int* counts;
    int bin = -1, count = 0;
    __device__ explicit Tally(int* counts) : counts(counts) {}
    __device__ void add(int next) {  // below 0: counted nowhere
        if (next != bin) flush();
        bin = next;
        ++count;
    }
    __device__ void flush() {
        if (bin >= 0) atomicAdd(&counts[bin], count);
        count = 0;
    }
};

enum Neighbor { WEST = 1, NORTH_WEST = 2, NORTH = 4, NORTH_EAST = 8 };

struct Reduced {
    const unsigned short* means;
    int rows, columns, threshold;

    __device__ int count() const { return rows * columns; }
    __device__ bool lit(int i) const { return means[i] > threshold; }

    // Which of the four neighbors before px i in reading order are lit.
    __device__ int lit_neighbors(int i) const {
        const int column = i % columns, above = i - columns;
        int found = column > 0 && lit(i - 1) ? WEST : 0;
        if (above < 0) return found;
        if (column > 0 && lit(above - 1)) found |= NORTH_WEST;
        if (lit(above)) found |= NORTH;
        if (column + 1 < columns && lit(above + 1)) found |= NORTH_EAST;
        return found;
    }
};

// A label is the index of a px of the same part that is not later; a root is its own label. Labels
// only ever become lower, whichever thread is last, so a label that was read a while ago is still
// one of the same part, and what was no root then is none now. Each look halves the path behind it.
__device__ int find_root(int* labels, int i) {
    const volatile int* now = labels;
    for (;;) {
        const int label = now[i], next = now[label];
        if (next == label) return label;
        atomicMin(&labels[i], next);  // a plain store could come late, and undo another thread's
        i = next;
    }
}

__device__ void unite(int* labels, int a, int b) {
    for (;;) {
        a = find_root(labels, a);
        b = find_root(labels, b);
        if (a == b) return;
        const int later = max(a, b), earlier = min(a, b);
        const int before = atomicMin(&labels[later], earlier);
        if (before == later) return;
        a = before;  // another thread was faster: what it united with is to be united too
        b = earlier;
    }
}

__device__ void count_levels(const Reduced& image, int* levels) {
    Tally tally(levels);
    for (int i = threadIdx.x; i < image.count(); i += blockDim.x) {
        const int level = image.means[i] / LEVEL_WIDTH;
        tally.add(level < DARK_LEVELS ? level : -1);
    }
    tally.flush();
}

// Links each lit px with one neighbor before it. The other neighbors touch that one, but for one
// case: see join_sides.
__device__ void link_neighbors(const Reduced& image, int* labels, int* sizes) {
    for (int i = threadIdx.x; i < image.count(); i += blockDim.x) {
        sizes[i] = 0;
        if (!image.lit(i)) {
            labels[i] = NOT_LIT;
            continue;
        }
        const int lit = image.lit_neighbors(i), above = i - image.columns;
        labels[i] = lit & NORTH        ? above
                    : lit & NORTH_EAST ? above + 1
                    : lit & WEST       ? i - 1
                    : lit & NORTH_WEST ? above - 1
                                       : i;
    }
}

// Where the px above is dark, the ones to the upper right and to the left meet only here.
__device__ void join_sides(const Reduced& image, int* labels) {
    for (int i = threadIdx.x; i < image.count(); i += blockDim.x) {
        if (!image.lit(i)) continue;
        const int lit = image.lit_neighbors(i);
        if ((lit & NORTH) || !(lit & NORTH_EAST)) continue;
        if (lit & WEST) unite(labels, i, i - 1);
        else if (lit & NORTH_WEST) unite(labels, i, i - image.columns - 1);
    }
}

__device__ void measure_sizes(const Reduced& image, int* labels, int* sizes) {
    Tally tally(sizes);
    for (int i = threadIdx.x; i < image.count(); i += blockDim.x) {
        if (!image.lit(i)) continue;
        const int root = find_root(labels, i);
        atomicMin(&labels[i], root);
        tally.add(root);
    }
    tally.flush();
}

// Size and, below it, the complement of the first px: the maximum is the largest part and, of equal
// ones, the first in reading order.
__device__ void find_largest(
    const Reduced& image, const int* labels, const int* sizes, unsigned long long* largest) {
    unsigned long long own = 0;
    for (int i = threadIdx.x; i < image.count(); i += blockDim.x)
        if (labels[i] == i)
            own = max(own, (unsigned long long)sizes[i] << 32 | (0xffffffffu - i));
    if (own) atomicMax(largest, own);
}

struct Part {  // half-open, in blocks; lean: how many more of its px lie in the right half
    int top, bottom, left, right, lean;
};

__device__ void measure_part(const Reduced& image, const int* labels, int root, Part* part) {
    const int half = image.columns / 2;
    // The right half of a single column is that column, its left half nothing.
    const int middle = half ? image.columns - half : 0;
    Part own = {image.rows, 0, image.columns, 0, 0};
    for (int i = threadIdx.x; i < image.count(); i += blockDim.x) {
        if (labels[i] != root) continue;
        const int row = i / image.columns, column = i % image.columns;
        own.top = min(own.top, row);
        own.bottom = max(own.bottom, row + 1);
        own.left = min(own.left, column);
        own.right = max(own.right, column + 1);
        own.lean += (column >= middle) - (column < half);
    }
    if (!own.bottom) return;
    atomicMin(&part->top, own.top);
    atomicMax(&part->bottom, own.bottom);
    atomicMin(&part->left, own.left);
    atomicMax(&part->right, own.right);
    atomicAdd(&part->lean, own.lean);
}

struct Box {  // a row of (N, 6) int32, the columns boxes.FIELDS
    int top, bottom, left, right, mirror, found;
};

// The part in px, widened by the margin and cut at the frame; the whole frame where no part, or
// none large enough, was found.
__device__ Box full_size(const Image& image, const Part& part, double margin, bool chest_left) {
    const int area = (part.bottom - part.top) * (part.right - part.left);
    if (!part.bottom || area < image.least_area) return {0, image.height, 0, image.width, 0, 0};
    const int top = part.top * image.edge, bottom = part.bottom * image.edge;
    const int left = part.left * image.edge, right = part.right * image.edge;
    const int extra_rows = (int)((bottom - top) * margin);
    const int extra_columns = (int)((right - left) * margin);
    return {max(0, top - extra_rows),
            min(image.height, bottom + extra_rows),
            max(0, left - extra_columns),
            min(image.width, right + extra_columns),
            chest_left && part.lean > 0,
            1};
}

// The box in each reduced image. One thread block (1024) an image: grid (images).
// contrast: how far above the background display values are breast; labels and sizes: scratch.
extern "C" __global__ void __launch_bounds__(1024)
find_breast(const Image* __restrict__ images, const unsigned short* __restrict__ means,
            int* labels, int* sizes, int contrast, double margin, int chest_left, Box* boxes) {
    __shared__ int levels[DARK_LEVELS];
    __shared__ int most_frequent;
    __shared__ unsigned long long largest;
    __shared__ Part part;
    const int thread = threadIdx.x;
    const Image image = images[blockIdx.x];
    Reduced reduced = {means + image.first, image.rows, image.columns, 0};
    labels += image.first;
    sizes += image.first;
    if (thread < DARK_LEVELS) levels[thread] = 0;
    if (thread == 0) {
        most_frequent = 0;
        largest = 0;
        part = {image.rows, 0, image.columns, 0, 0};
    }
    __syncthreads();

    count_levels(reduced, levels);
    __syncthreads();
    if (thread < DARK_LEVELS)  // of equal levels the darkest, as of equal parts the first
        atomicMax(&most_frequent, levels[thread] * DARK_LEVELS + DARK_LEVELS - 1 - thread);
    __syncthreads();
    const int background = DARK_LEVELS - 1 - most_frequent % DARK_LEVELS;
    reduced.threshold = (background + 1) * LEVEL_WIDTH - 1 + contrast;

    link_neighbors(reduced, labels, sizes);
    __syncthreads();
    join_sides(reduced, labels);
    __syncthreads();
    measure_sizes(reduced, labels, sizes);
    __syncthreads();
    find_largest(reduced, labels, sizes, &largest);
    __syncthreads();
    if (largest) measure_part(reduced, labels, (int)(0xffffffffu - (unsigned)largest), &part);
    __syncthreads();
    if (thread == 0) boxes[blockIdx.x] = full_size(image, part, margin, chest_left);
}
