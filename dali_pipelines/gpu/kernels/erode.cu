// How far (city block) each px is from a dark one or from what is off the frame, as far as that
// matters: distances up to `steps` are exact, greater ones are above `steps`.
//
// The distance within the column, then along the row the least of those plus the way there.
// Down the columns each px is read twice and written twice, and as many rows as steps are read
// again at either end of a strip of 256: 4 + 2 * 2 * steps / 256 + 4 bytes, for 100 steps 10 bytes;
// along the rows it is 8 bytes. That is 245 MB for 13.6 MP, 73 us at the 3.35 TB/s of an H100.
// Some 30 operations a px. These are counts; none is a measurement.

constexpr int STRIP_ROWS = 256;  // finders/window._STRIP_ROWS
constexpr int WARPS = 8;         // finders/window._WARPS
constexpr unsigned ALL_LANES = 0xffffffff;

struct Picture {  // finders/window._PICTURE
    const unsigned short* values;  // (height, width) display values
    unsigned short* distances;     // (height, width)
    int height, width;             // px
};

// Distances to the nearest dark px in the same column. A thread takes a column of a strip: grid
// (columns / 256, strips, images). Counts begin `steps` rows outside of the strip: what is farther
// away does not matter.
extern "C" __global__ void __launch_bounds__(256, 4)
measure_columns(const Picture* __restrict__ pictures, int steps) {
    const Picture picture = pictures[blockIdx.z];
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int top = blockIdx.y * STRIP_ROWS, bottom = min(top + STRIP_ROWS, picture.height);
    if (column >= picture.width || top >= bottom) return;
    const unsigned short* const values = picture.values + column;
    unsigned short* const distances = picture.distances + column;
    const long long stride = picture.width;
    int distance = 0;
    for (int row = max(0, top - steps); row < top; ++row)
        distance = values[row * stride] ? distance + 1 : 0;
    for (int row = top; row < bottom; ++row) {
        distance = values[row * stride] ? distance + 1 : 0;
        distances[row * stride] = distance;
    }
    distance = 0;
    for (int row = min(picture.height, bottom + steps) - 1; row >= bottom; --row)
        distance = values[row * stride] ? distance + 1 : 0;
    for (int row = bottom - 1; row >= top; --row) {
        const int above = distances[row * stride];
        distance = above ? distance + 1 : 0;
        distances[row * stride] = min(distance, above);
    }
}

// The least of the values of the lanes from this one on toward one side, each plus the way there.
template <class Shift>
__device__ int nearest(int distance, Shift shift) {
    for (int lanes = 1; lanes < 32; lanes *= 2)
        distance = min(distance, shift(distance, lanes) + lanes);
    return distance;
}

// Distances over all columns. A warp takes a row, there and back: grid (rows / WARPS, images).
extern "C" __global__ void __launch_bounds__(32 * WARPS)
measure_rows(const Picture* __restrict__ pictures) {
    const Picture picture = pictures[blockIdx.y];
    const int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= picture.height) return;
    unsigned short* const distances = picture.distances + (long long)row * picture.width;
    int before = 0;  // the distance at the px before these 32
    for (int first = 0; first < picture.width; first += 32) {
        const int column = first + lane;
        int distance = column < picture.width ? distances[column] : 0;
        distance = nearest(distance, [](int value, int lanes) {
            return __shfl_up_sync(ALL_LANES, value, lanes);
        });
        distance = min(distance, before + lane + 1);
        if (column < picture.width) distances[column] = distance;
        before = __shfl_sync(ALL_LANES, distance, 31);
    }
    int after = 0;
    for (int first = (picture.width - 1) / 32 * 32; first >= 0; first -= 32) {
        const int column = first + lane;
        int distance = column < picture.width ? distances[column] : 0;
        distance = nearest(distance, [](int value, int lanes) {
            return __shfl_down_sync(ALL_LANES, value, lanes);
        });
        distance = min(distance, after + 32 - lane);
        if (column < picture.width) distances[column] = distance;
        after = __shfl_sync(ALL_LANES, distance, 0);
    }
}
