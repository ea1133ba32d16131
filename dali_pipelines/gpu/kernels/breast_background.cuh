// Which level of a picture is background, and by how much a breast stands out from it, as in
// cpu/breast/background.py.

constexpr int LEVEL = 256, LEVELS = 256;
constexpr int RING = 3;
constexpr int SMOOTH = 2;
constexpr int CONTRASTS = 64;
constexpr int STEEPEST = 32;
constexpr int SHARES = 255;
constexpr int GOOD = 3, OF_GOOD = 4;
constexpr int LONGEST = 4;

struct Background {
    int level;  // of 256
    bool dark;
    int contrast;  // in levels; 0 where no outline is plain

    __device__ int levels_above(int mean) const {
        return max(dark ? mean / LEVEL - level : level - mean / LEVEL, 0);
    }
    __device__ bool stands_out(int mean) const { return levels_above(mean) >= contrast; }
};

struct BackgroundScratch {  // in memory that threads share
    int ring[LEVELS];
    unsigned most_frequent;
    int brightness;  // above the level, all px together: 2**16 of them, 2**8 levels
    int numbers[CONTRASTS + 1], sums[CONTRASTS + 1];
    int all[CONTRASTS + 1], sides[CONTRASTS + 1];  // blocks of each level from the background
    int outline[CONTRASTS];
    long long goodness[CONTRASTS];
    int contrast;
};

__device__ void clear(BackgroundScratch* scratch) {
    const int thread = threadIdx.x;
    if (thread < LEVELS) scratch->ring[thread] = 0;
    if (thread <= CONTRASTS) {
        scratch->numbers[thread] = scratch->sums[thread] = 0;
        scratch->all[thread] = scratch->sides[thread] = 0;
    }
    if (thread == 0) {
        scratch->most_frequent = 0;
        scratch->brightness = 0;
    }
}

__device__ bool along_side(const Picture& picture, int row, int column) {
    return row < RING || row >= picture.rows() - RING || column < RING ||
           column >= picture.columns() - RING;
}

// The most frequent level along the sides. Neighbors count with it; of equally frequent ones the one
// that counts most without them, and of those the darkest.
__device__ int side_level(const Picture& picture, BackgroundScratch* scratch) {
    const int columns = picture.columns(), thread = threadIdx.x;
    Tally tally(scratch->ring);
    for (int i = thread; i < picture.count(); i += blockDim.x) {
        const int row = i / columns, column = i % columns;
        if (along_side(picture, row, column)) tally.add(picture.at(row, column) / LEVEL);
    }
    tally.flush();
    __syncthreads();
    if (thread < LEVELS) {
        unsigned near = 0;  // a ring of 256 x 256 holds 3036, so two counts and a level are 32 bits
        for (int i = max(0, thread - SMOOTH); i <= min(LEVELS - 1, thread + SMOOTH); ++i)
            near += scratch->ring[i];
        const unsigned own = scratch->ring[thread];
        atomicMax(&scratch->most_frequent, near << 20 | own << 8 | (LEVELS - 1 - thread));
    }
    __syncthreads();
    return LEVELS - 1 - (int)(scratch->most_frequent % LEVELS);
}

// Whether the picture is at least as bright as a level on the whole.
__device__ bool is_brighter(const Picture& picture, int level, BackgroundScratch* scratch) {
    const int columns = picture.columns();
    int own = 0;
    for (int i = threadIdx.x; i < picture.count(); i += blockDim.x)
        own += picture.at(i / columns, i % columns) / LEVEL - level;
    atomicAdd(&scratch->brightness, own);
    __syncthreads();
    return scratch->brightness >= 0;
}

// Notes a pair of neighbors as the ends of the contrasts that it lies across.
__device__ void note_pair(int one, int other, BackgroundScratch* scratch) {
    const int lower = min(one, other), upper = max(one, other);
    const int begin = lower + 1, end = min(upper + 1, CONTRASTS), step = min(upper - lower, STEEPEST);
    if (begin >= end) return;
    atomicAdd(&scratch->numbers[begin], 1);
    atomicAdd(&scratch->numbers[end], -1);
    atomicAdd(&scratch->sums[begin], step);
    atomicAdd(&scratch->sums[end], -step);
}

__device__ void note_outlines(
    const Picture& picture, const Background& background, BackgroundScratch* scratch) {
    const int rows = picture.rows(), columns = picture.columns();
    Tally all(scratch->all), sides(scratch->sides);
    for (int i = threadIdx.x; i < picture.count(); i += blockDim.x) {
        const int row = i / columns, column = i % columns;
        const int own = background.levels_above(picture.at(row, column));
        all.add(min(own, CONTRASTS));
        if (along_side(picture, row, column)) sides.add(min(own, CONTRASTS));
        if (column + 1 < columns)
            note_pair(own, background.levels_above(picture.at(row, column + 1)), scratch);
        if (row + 1 < rows)
            note_pair(own, background.levels_above(picture.at(row + 1, column)), scratch);
    }
    all.flush();
    sides.flush();
}

// How good the outline of each contrast is: short, steep, with much inside and few of the sides. One
// thread each.
__device__ void judge_outlines(const Picture& picture, BackgroundScratch* scratch) {
    const int thread = threadIdx.x;
    if (thread >= CONTRASTS) return;
    long long number = 0, sum = 0, area = 0, inside = 0, outside = 0;
    for (int i = 0; i <= CONTRASTS; ++i) {
        if (i <= thread) {
            number += scratch->numbers[i];
            sum += scratch->sums[i];
        }
        if (i >= thread) area += scratch->all[i];
        (i >= thread ? inside : outside) += scratch->sides[i];
    }
    const long long blocks = picture.count();
    const long long within = (SHARES * area + blocks - 1) / blocks;
    const long long without = SHARES * outside / (inside + outside);
    const long long squared = max(number, 1ll) * max(number, 1ll);
    scratch->outline[thread] = number;
    // Below 2**62: 2**17 pairs of 2**5 levels, and five shares below 2**8.
    const long long shares = within * within * (without * without * without);
    scratch->goodness[thread] = sum * shares / squared;
}

// The lowest contrast of `least` ... that is nearly as good as the best; 0 where none is plain.
__device__ int choose_contrast(const BackgroundScratch& scratch, int least, int longest) {
    long long best = 0;
    for (int i = least; i < CONTRASTS; ++i) best = max(best, scratch.goodness[i]);
    if (best == 0) return 0;
    int lowest = least;
    while (scratch.goodness[lowest] * OF_GOOD < best * GOOD) ++lowest;
    return scratch.outline[lowest] <= longest ? lowest : 0;
}

// The background of a picture without its frame. A thread block (1024) together.
__device__ Background tell_background(
    const Picture& picture, int least, BackgroundScratch* scratch) {
    clear(scratch);
    __syncthreads();
    Background background = {side_level(picture, scratch), true, 0};
    background.dark = is_brighter(picture, background.level, scratch);
    note_outlines(picture, background, scratch);
    __syncthreads();
    judge_outlines(picture, scratch);
    __syncthreads();
    const int longest = LONGEST * (picture.rows() + picture.columns());
    if (threadIdx.x == 0) scratch->contrast = choose_contrast(*scratch, least, longest);
    __syncthreads();
    background.contrast = scratch->contrast;
    return background;
}
