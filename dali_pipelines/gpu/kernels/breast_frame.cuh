// The lines along the sides of a picture that are no picture, as in cpu/breast/frame_lines.py.

constexpr int SIDES = 4;  // top, bottom, left, right
constexpr int ROUNDS = 3;
constexpr int TOLERANCE = 3072;
constexpr int ABRUPT = 2;
constexpr int DEPTH = 5, OF_DEPTH = 64;  // a round takes at most 5/64 of a direction
constexpr int MOST_LINES = REDUCED_SIZE * DEPTH / OF_DEPTH + 1 + ABRUPT;

struct Lines {  // the lines along one side, from the outside inward
    Picture picture;
    int side;

    __device__ bool across() const { return side < 2; }
    __device__ int count() const { return across() ? picture.rows() : picture.columns(); }
    __device__ int length() const { return across() ? picture.columns() : picture.rows(); }
    __device__ int deepest() const { return count() * DEPTH / OF_DEPTH; }
    __device__ int at(int line, int place) const {
        if (side % 2) line = count() - 1 - line;
        return across() ? picture.at(line, place) : picture.at(place, line);
    }
};

struct FrameScratch {  // in memory that threads share
    unsigned short first[SIDES][REDUCED_SIZE];
    int level[SIDES];
    int alike[SIDES][MOST_LINES];  // blocks of a line that have the level
    int cut[SIDES];
};

// The lower median of the first line of each side: the value that has so many before it. One thread
// a block of the line.
__device__ void find_levels(const Picture& picture, FrameScratch* scratch) {
    const int side = threadIdx.x / REDUCED_SIZE, place = threadIdx.x % REDUCED_SIZE;
    const Lines lines = {picture, side};
    const int length = lines.length();
    const unsigned short* first = scratch->first[side];
    if (place < length) scratch->first[side][place] = lines.at(0, place);
    __syncthreads();
    if (place >= length) return;
    const int own = first[place];
    int before = 0;
    for (int i = 0; i < length; ++i) before += first[i] < own || (first[i] == own && i < place);
    if (before == (length - 1) / 2) scratch->level[side] = own;
}

__device__ void count_alike(const Picture& picture, FrameScratch* scratch) {
    const int lane = threadIdx.x % 32;
    for (int i = threadIdx.x / 32; i < SIDES * MOST_LINES; i += blockDim.x / 32) {
        const int side = i / MOST_LINES, line = i % MOST_LINES;
        const Lines lines = {picture, side};
        if (!lines.deepest() || line > lines.deepest() + ABRUPT) continue;
        int own = 0;
        for (int place = lane; place < lines.length(); place += 32)
            own += abs(lines.at(line, place) - scratch->level[side]) <= TOLERANCE;
        if (own) atomicAdd(&scratch->alike[side][line], own);
    }
}

// How many lines of a side belong to a frame.
__device__ int frame_lines(const Lines& lines, const int* alike) {
    const int length = lines.length(), deepest = lines.deepest();
    int depth = 0, mixed = 0;
    while (depth <= deepest && 5 * alike[depth] >= 4 * length) ++depth;
    if (depth == 0 || depth > deepest) return 0;
    while (mixed <= ABRUPT && 5 * alike[depth + mixed] > 3 * length) ++mixed;
    return mixed > ABRUPT ? 0 : depth + mixed;
}

// What lies inside of all frame lines. A thread block (1024) together.
__device__ Picture inside_frame(Picture picture, FrameScratch* scratch) {
    const int thread = threadIdx.x;
    for (int round = 0; round < ROUNDS; ++round) {
        if (thread < SIDES * MOST_LINES) (&scratch->alike[0][0])[thread] = 0;
        find_levels(picture, scratch);
        __syncthreads();
        count_alike(picture, scratch);
        __syncthreads();
        if (thread < SIDES)
            scratch->cut[thread] = frame_lines({picture, thread}, scratch->alike[thread]);
        __syncthreads();
        const int* cut = scratch->cut;
        picture.top += cut[0];
        picture.bottom -= cut[1];
        picture.left += cut[2];
        picture.right -= cut[3];
        const bool done = !(cut[0] | cut[1] | cut[2] | cut[3]);
        __syncthreads();
        if (done) break;
    }
    return picture;
}
