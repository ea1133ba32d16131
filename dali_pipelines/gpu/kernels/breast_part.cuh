// The breast among all that stands out from the background, as in cpu/breast/part.py.

constexpr int RADIUS = 7, RESTORED = 4, FEW = 6;  // 256ths of the longer side
constexpr int WORD_PX = 32, ROW_WORDS = REDUCED_SIZE / WORD_PX;
constexpr int MOST_WORDS = REDUCED_SIZE * ROW_WORDS;
constexpr unsigned ALL_LANES = 0xffffffffu;
constexpr int NOT_LIT = -1;  // the label of what is in no part

struct Mask {  // a bit for each px, in rows of ROW_WORDS words; no bit is set beyond the columns
    unsigned* words;
    int rows, columns;

    __device__ int count() const { return rows * columns; }
    __device__ unsigned inside(int word) const {  // the bits of a word that are px
        const int px = columns - word % ROW_WORDS * WORD_PX;
        return px >= WORD_PX ? ALL_LANES : px > 0 ? (1u << px) - 1 : 0;
    }
    __device__ bool has(int row, int column) const {
        return words[row * ROW_WORDS + column / WORD_PX] >> column % WORD_PX & 1;
    }
    __device__ unsigned neighbors(int row, int word) const {  // also those of the px itself
        const unsigned* row_words = words + row * ROW_WORDS;
        const unsigned own = row_words[word];
        const unsigned before = word ? row_words[word - 1] >> (WORD_PX - 1) : 0;
        const unsigned after = word + 1 < ROW_WORDS ? row_words[word + 1] << (WORD_PX - 1) : 0;
        return own | own << 1 | before | own >> 1 | after;
    }
};

// Sets the px of which a test says so. A warp a word.
template <class Test>
__device__ void fill(const Mask& mask, Test test) {
    const int lane = threadIdx.x % 32;
    for (int i = threadIdx.x / 32; i < mask.rows * ROW_WORDS; i += blockDim.x / 32) {
        const int row = i / ROW_WORDS, column = i % ROW_WORDS * WORD_PX + lane;
        const unsigned bits = __ballot_sync(ALL_LANES, column < mask.columns && test(row, column));
        if (lane == 0) mask.words[i] = bits;
    }
    __syncthreads();
}

__device__ void complement(const Mask& mask) {
    for (int i = threadIdx.x; i < mask.rows * ROW_WORDS; i += blockDim.x)
        mask.words[i] = ~mask.words[i] & mask.inside(i);
    __syncthreads();
}

// Widens a mask by one px a step to all eight sides, `within` another one or the image. Its words
// and the spare ones change places.
__device__ void widen(Mask& mask, unsigned*& spare, int steps, const unsigned* within) {
    for (; steps > 0; --steps) {
        for (int i = threadIdx.x; i < mask.rows * ROW_WORDS; i += blockDim.x) {
            const int row = i / ROW_WORDS, word = i % ROW_WORDS;
            unsigned near = mask.neighbors(row, word);
            if (row > 0) near |= mask.neighbors(row - 1, word);
            if (row + 1 < mask.rows) near |= mask.neighbors(row + 1, word);
            spare[i] = near & (within ? within[i] : mask.inside(i));
        }
        unsigned* const old = mask.words;
        mask.words = spare;
        spare = old;
        __syncthreads();
    }
}

// Links each lit px with one neighbor before it. The other neighbors touch that one, but for one
// case: see join_sides.
__device__ void link_neighbors(const Mask& mask, int* labels, int* sizes) {
    for (int i = threadIdx.x; i < mask.count(); i += blockDim.x) {
        const int row = i / mask.columns, column = i % mask.columns, above = i - mask.columns;
        sizes[i] = 0;
        const bool east = column + 1 < mask.columns;
        labels[i] = !mask.has(row, column)                              ? NOT_LIT
                    : row && mask.has(row - 1, column)                  ? above
                    : row && east && mask.has(row - 1, column + 1)      ? above + 1
                    : column && mask.has(row, column - 1)               ? i - 1
                    : row && column && mask.has(row - 1, column - 1)    ? above - 1
                                                                        : i;
    }
    __syncthreads();
}

// Where the px above is dark, the ones to the upper right and to the left meet only here.
__device__ void join_sides(const Mask& mask, int* labels) {
    for (int i = threadIdx.x; i < mask.count(); i += blockDim.x) {
        const int row = i / mask.columns, column = i % mask.columns;
        if (!row || !column || column + 1 == mask.columns || !mask.has(row, column)) continue;
        if (mask.has(row - 1, column) || !mask.has(row - 1, column + 1)) continue;
        if (mask.has(row, column - 1)) unite(labels, i, i - 1);
        else if (mask.has(row - 1, column - 1)) unite(labels, i, i - mask.columns - 1);
    }
    __syncthreads();
}

__device__ void measure_sizes(const Mask& mask, int* labels, int* sizes) {
    Tally tally(sizes);
    for (int i = threadIdx.x; i < mask.count(); i += blockDim.x) {
        if (labels[i] == NOT_LIT) continue;
        const int root = find_root(labels, i);
        atomicMin(&labels[i], root);
        tally.add(root);
    }
    tally.flush();
    __syncthreads();
}

// The root of the largest part and, of equal ones, of the first in reading order; NOT_LIT where
// there is none. `largest`, shared and 0, takes the size and, below it, the complement of the root.
__device__ int find_largest(
    const Mask& mask, int* labels, int* sizes, unsigned long long* largest) {
    link_neighbors(mask, labels, sizes);
    join_sides(mask, labels);
    measure_sizes(mask, labels, sizes);
    unsigned long long own = 0;
    for (int i = threadIdx.x; i < mask.count(); i += blockDim.x)
        if (labels[i] == i)
            own = max(own, (unsigned long long)sizes[i] << 32 | (0xffffffffu - i));
    if (own) atomicMax(largest, own);
    __syncthreads();
    return *largest ? (int)(0xffffffffu - (unsigned)*largest) : NOT_LIT;
}

// Turns what stands out into the part that is a breast. `labels` and `sizes` are scratch.
__device__ Mask breast_part(
    Mask mask, const unsigned* lit, unsigned* spare, int* labels, int* sizes,
    unsigned long long* largest) {
    const int longer = max(mask.rows, mask.columns), radius = longer * RADIUS / REDUCED_SIZE;
    complement(mask);  // widening what is dark within the image narrows what is lit
    widen(mask, spare, radius, nullptr);
    complement(mask);
    widen(mask, spare, radius, nullptr);
    const int root = find_largest(mask, labels, sizes, largest);
    fill(mask, [&](int row, int column) {
        return root != NOT_LIT && labels[row * mask.columns + column] == root;
    });
    widen(mask, spare, longer * RESTORED / REDUCED_SIZE, lit);
    return mask;
}
