// The largest of the parts that label_parts.cu found in each image of a batch: its box, and its px
// as bits. What that costs stands there.

#include "union_find.cuh"
#include "row_runs.cuh"

constexpr int STRIP_ROWS = 32;  // rows that one thread goes down: it adds up before it queues
constexpr int BLOCKS = 4;       // at least, a multiprocessor: said, so that nothing is spilled

struct Box {  // a row of (N, 6) int32, the columns boxes.FIELDS
    int top, bottom, left, right, mirror, found;
};

// Calls visit(first bit, bits) for each run of ones.
template <class Visit>
__device__ void visit_ones(unsigned bits, Visit visit) {
    while (bits) {
        const int first = __ffs(bits) - 1;
        const int count = __ffs(~(bits >> first)) - 1;  // below 0: all 32
        const unsigned ones = (count < 0 ? ALL : (1u << count) - 1) << first;
        visit(first, ones);
        bits &= ~ones;
    }
}

// Adds up for as long as the part stays: most px lie in one, and would all queue at one address.
struct Tally {
    const Image& image;
    int root = OUTSIDE;
    unsigned count = 0;
    __device__ explicit Tally(const Image& image) : image(image) {}
    __device__ void add(int next, unsigned more) {
        if (next != root) flush();
        root = next;
        count += more;
    }
    __device__ void flush() {
        if (count) atomicAdd(image.size_of(root), count);
        count = 0;
    }
};

// The rows that one thread goes down, at one word of each: grid (enough for the image of the most
// strips, images).
struct Strip {
    int k, top, end;
    __device__ explicit Strip(const Image& image) {
        const Place place(image.stride);
        k = place.k;
        top = place.row * STRIP_ROWS;
        end = min(top + STRIP_ROWS, image.height);
    }
};

// Adds up the px of each part.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    count_px(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    const Strip strip(image);
    Tally tally(image);
    for (int row = strip.top; row < strip.end; ++row) {
        const Word word(image, row, strip.k);
        visit_ones(image.solid[row * image.stride + strip.k], [&](int bit, unsigned ones) {
            tally.add(find_root(image.labels, word.run_of(bit)), __popc(ones));
        });
    }
    tally.flush();
}

// Adds up half squares between the centers of each part's px: two where four are set, one where
// three are.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    count_half_squares(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    const Strip strip(image);
    Tally tally(image);
    for (int row = strip.top; row < min(strip.end, image.height - 1); ++row) {
        const int i = row * image.stride + strip.k;
        const unsigned here = image.solid[i], below = image.solid[i + image.stride];
        const unsigned right = image.before_set(image.solid, row, strip.k);
        const unsigned right_below = image.before_set(image.solid, row + 1, strip.k);
        const unsigned whole = here & right & below & right_below;
        const unsigned half =
            (here & right & (below ^ right_below)) | (below & right_below & (here ^ right));
        visit_ones(whole | half, [&](int bit, unsigned ones) {
            // Neighboring squares share a px, so all are of one part; of two px at the left at
            // least one is.
            const Word word(image, here >> bit & 1 ? row : row + 1, strip.k);
            const int root = find_root(image.labels, word.run_of(bit));
            tally.add(root, 2 * __popc(whole & ones) + __popc(half & ones));
        });
    }
    tally.flush();
}

// The largest part and, of equal ones, the first in reading order.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    choose_part(const Image* __restrict__ images, Part* parts) {
    const Image image = images[blockIdx.y];
    const Strip strip(image);
    unsigned long long own = 0;
    for (int row = strip.top; row < strip.end; ++row) {
        const Word word(image, row, strip.k);
        for (unsigned bits = word.starts & word.lit; bits; bits &= bits - 1) {
            const int node = word.first_node + __ffs(bits) - 1;
            if (image.labels[node] == node)
                own = max(own, (unsigned long long)*image.size_of(node) << 32 | (ALL - node));
        }
    }
    if (own) atomicMax(&parts[blockIdx.y].largest, own);
}

// The bounds of the chosen part; of the solid px only its own are left.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    measure_part(const Image* __restrict__ images, Part* parts) {
    const Image image = images[blockIdx.y];
    const Strip strip(image);
    Part* const part = parts + blockIdx.y;
    const int chosen = (int)(ALL - (unsigned)part->largest);
    Part own = {0, image.height, 0, image.width, 0};
    for (int row = strip.top; row < strip.end; ++row) {
        const Word word(image, row, strip.k);
        unsigned* const solid = image.solid + row * image.stride + strip.k;
        unsigned kept = 0;
        visit_ones(*solid, [&](int bit, unsigned ones) {
            if (find_root(image.labels, word.run_of(bit)) == chosen) kept |= ones;
        });
        *solid = kept;
        if (!kept) continue;
        own.top = min(own.top, row);
        own.bottom = row + 1;
        own.left = min(own.left, strip.k * WORD_PX + __ffs(kept) - 1);
        own.right = max(own.right, strip.k * WORD_PX + WORD_PX - __clz(kept));
    }
    if (!own.bottom) return;
    atomicMin(&part->top, own.top);
    atomicMax(&part->bottom, own.bottom);
    atomicMin(&part->left, own.left);
    atomicMax(&part->right, own.right);
}

// One side of a box in px of the frame: at least one px, cut at the frame.
__device__ int2 scaled(int first, int end, double scale, int length) {
    const int start = (int)(first / scale);
    return {start, max(start + 1, min(length, (int)(end / scale)))};
}

// The boxes, in px of the frame; all of it where no part, or none large enough, was found.
// One thread an image.
extern "C" __global__ void write_boxes(
    const Image* __restrict__ images, const Part* __restrict__ parts, int count, Box* boxes) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const Image image = images[i];
    const Part part = parts[i];
    boxes[i] = {0, image.frame_height, 0, image.frame_width, 0, 0};
    if (!part.largest || (unsigned)(part.largest >> 32) < image.least) return;
    const int2 rows = scaled(part.top, part.bottom, image.scale, image.frame_height);
    const int2 columns = scaled(part.left, part.right, image.scale, image.frame_width);
    boxes[i] = {rows.x, rows.y, columns.x, columns.y, 0, 1};
}
