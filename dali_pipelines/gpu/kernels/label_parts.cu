// The connected parts of the lit px of each image of a batch, at full resolution, as in
// cpu/parts.py: the first of two sources, the second is largest_part.cu. All are integers.
//
// Rows are tiled by runs of lit and of dark px. A run is named by its first px; only that px has a
// label. Lit runs are united with those that touch them or their corners, dark ones only with those
// that touch them, so that parts never cross; dark runs at the frame have the label OUTSIDE. Then
// each part that lies inside of another is united with it. What is left are lit parts outside of
// all others, filled. How many launches that takes does not depend on the px.
//
// pack_rows reads each px once, 2 bytes. From then on a px is 1 bit: 32 to a word, and with the
// word the start of the run that enters it. Each of the six passes over the words moves at most 20
// bytes for 32 px, which is 0.6 bytes a px, and the labels of the runs, some 10 k in a mammogram.
// 13.6 MP are 27 MB + 6 * 8.5 MB; 78 MB take 23 us at the 3.35 TB/s of an H100. Operations: 3 for
// each px in pack_rows, then about 30 for each word and pass. Memory: labels 4 bytes a px, hardly
// any of it touched, 54 MB for 13.6 MP; words and sizes 19 MB.
// These are counts; none is a measurement.

#include "union_find.cuh"
#include "row_runs.cuh"

constexpr int WARPS = THREADS / 32;
constexpr int AHEAD = 4;  // words whose px are loaded at once

// The px above `above` as bits, and the first label of each run. A warp (of 8 in a block) makes a
// row: grid (enough for the highest, images). Without `filled` all that is dark is OUTSIDE.
extern "C" __global__ void __launch_bounds__(THREADS)
    pack_rows(const Image* __restrict__ images, int above, int filled, Part* parts) {
    const Image image = images[blockIdx.y];
    const int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= image.height) return;
    if (row == 0 && lane == 0) {
        image.labels[OUTSIDE] = OUTSIDE;
        parts[blockIdx.y] = {0, image.height, 0, image.width, 0};
    }
    const unsigned short* values = image.values + (long long)row * image.width;
    const bool at_frame = !filled || row == 0 || row == image.height - 1;
    int start = 0;
    unsigned word = 0;
    for (int group = 0; group < image.stride; group += AHEAD) {
        bool lit[AHEAD];
        for (int j = 0; j < AHEAD; ++j) {
            const int x = (group + j) * WORD_PX + lane;
            lit[j] = x < image.width && values[x] > above;
        }
        for (int j = 0; j < AHEAD && group + j < image.stride; ++j) {
            const int k = group + j, x = k * WORD_PX + lane, i = row * image.stride + k;
            const unsigned last = word >> 31;
            word = __ballot_sync(ALL, lit[j]);
            const unsigned starts = ((word ^ (word << 1 | last)) | (k == 0)) & image.inside(k);
            if (lane == 0) {
                image.words[i] = word;
                image.entering[i] = start;
            }
            if (starts >> lane & 1) {
                const bool open = !lit[j] && (at_frame || x == 0);
                image.labels[image.node(row, x)] = open ? OUTSIDE : image.node(row, x);
            }
            if (starts) start = k * WORD_PX + 31 - __clz(starts);
        }
    }
    __syncwarp();
    const bool lit_end = word >> (image.width - 1) % WORD_PX & 1;
    if (lane == 0 && !lit_end) image.labels[image.node(row, start)] = OUTSIDE;
}

// Unites the runs of each row with those above. One thread a word, as in nest_parts and fill_parts:
// grid (enough for the image of the most words, images).
extern "C" __global__ void __launch_bounds__(THREADS) join_rows(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    const Place place(image.stride);
    const int row = place.row, k = place.k;
    if (row == 0 || row >= image.height) return;
    const Word here(image, row, k), above(image, row - 1, k);
    // Where the overlap of two runs begins, one of them does.
    const unsigned begins = (here.starts | above.starts) & image.inside(k);
    for (unsigned bits = ~(here.lit ^ above.lit) & begins; bits; bits &= bits - 1) {
        const int bit = __ffs(bits) - 1;
        unite(image.labels, here.run_of(bit), above.run_of(bit));
    }
    const unsigned corner = here.lit & ~above.lit;  // a px that may touch lit ones at its corners
    const unsigned left = image.after_set(image.words, row - 1, k);
    for (unsigned bits = corner & here.starts & left; bits; bits &= bits - 1) {
        const int bit = __ffs(bits) - 1;
        unite(image.labels, here.run_of(bit), above.run_of(bit - 1));
    }
    const unsigned right = image.before_set(image.words, row - 1, k);
    const unsigned ends = ~image.before_set(image.words, row, k);
    for (unsigned bits = corner & ends & right; bits; bits &= bits - 1) {
        const int bit = __ffs(bits) - 1;
        unite(image.labels, here.run_of(bit), above.first_node + bit + 1);  // which begins there
    }
}

// Unites each part that lies inside of another with it. What lies left of the first px of a part is
// what encloses it: nothing of the part is above, so it cannot be a hole of it. Whether that leads to
// OUTSIDE is the same before and after another thread unites it with what encloses it in turn.
extern "C" __global__ void __launch_bounds__(THREADS) nest_parts(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    const Place place(image.stride);
    if (place.row >= image.height) return;
    const Word word(image, place.row, place.k);
    for (unsigned bits = word.starts; bits; bits &= bits - 1) {
        const int bit = __ffs(bits) - 1, node = word.first_node + bit;
        if (image.labels[node] != node || (place.k == 0 && bit == 0)) continue;
        const int left = find_root(image.labels, word.run_of(bit - 1));
        if (left != OUTSIDE) atomicMin(&image.labels[node], left);
    }
}

// Which px lie in a part, holes included; and a size of 0 for each part.
extern "C" __global__ void __launch_bounds__(THREADS) fill_parts(const Image* __restrict__ images) {
    const Image image = images[blockIdx.y];
    const Place place(image.stride);
    if (place.row >= image.height) return;
    const Word word(image, place.row, place.k);
    unsigned solid = 0;
    for (unsigned bits = word.starts | 1; bits; bits &= bits - 1) {
        const int bit = __ffs(bits) - 1;
        const unsigned rest = bits & (bits - 1);  // the runs that follow
        const unsigned upto = rest ? (1u << (__ffs(rest) - 1)) - 1 : image.inside(place.k);
        const int run = word.run_of(bit), root = find_root(image.labels, run);
        if (root != OUTSIDE) solid |= upto & ALL << bit;
        if (root == run && word.starts >> bit & 1 && root != OUTSIDE) *image.size_of(root) = 0;
    }
    image.solid[place.row * image.stride + place.k] = solid;
}
