// Sums along the columns, then along the rows, of an area of each image of a batch.
//
// Each px is read once a launch and costs some five operations: 27 MB for 13.6 MP, once for the
// columns of the whole frame, once for the rows of what is kept of it. A column takes one or two
// atomic additions for each strip of 64 rows, 0.25 bytes to each px. These are counts; none is a
// measurement.
//
// All sums are exact: a line has at most 65,536 px, and 65,536 * 255 * 255 is below 2**32.
#include "lines.cuh"

constexpr int STRIP_ROWS = 64;   // line_sums._STRIP_ROWS
constexpr int ROWS_A_BLOCK = 8;  // line_sums._ROWS_A_BLOCK: a warp to each
constexpr unsigned ALL_LANES = 0xffffffff;

__device__ unsigned level_of(unsigned short value) { return value / LEVEL_STEP; }

__device__ unsigned cleaned(const Image& image, unsigned short value) {
    const unsigned level = level_of(value);
    return (int)level <= image.dark ? 0 : level;
}

// The px of one column in one strip of rows. Threads (256) side by side take columns side by side:
// grid (columns, strips, images).
struct ColumnPart {
    const unsigned short* start;  // in row 0
    long long stride;
    int column, top, bottom;

    __device__ ColumnPart(const Image& image, const Area& area)
        : stride(image.width),
          column(area.left + blockIdx.x * blockDim.x + threadIdx.x),
          top(area.top + blockIdx.y * STRIP_ROWS),
          bottom(min(top + STRIP_ROWS, area.bottom)) {
        start = image.values + column;
        if (column >= area.right) bottom = top;
    }
    __device__ bool any() const { return top < bottom; }
    __device__ unsigned short value(int row) const { return start[row * stride]; }
    template <class Visit>
    __device__ void visit(Visit visit) const {
#pragma unroll 8  // loads under way at once
        for (int row = top; row < bottom; ++row) visit(value(row));
    }
};

// The px of one row, every 32nd of them to a lane: grid (rows / ROWS_A_BLOCK, images).
struct RowPart {
    const unsigned short* start;
    int row, left, right;
    bool any;

    __device__ RowPart(const Image& image, const Area& area)
        : row(area.top + blockIdx.x * ROWS_A_BLOCK + threadIdx.x / 32),
          left(area.left), right(area.right), any(row < area.bottom && left < right) {
        start = image.values + (long long)row * image.width;
    }
    template <class Visit>
    __device__ void visit(Visit visit) const {
#pragma unroll 4
        for (int column = left + threadIdx.x % 32; column < right; column += 32)
            visit(start[column]);
    }
};

__device__ unsigned of_warp(unsigned sum) {
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, lanes);
    return sum;
}

// Adds each column's levels, and their squares; both arrays must be 0 before.
extern "C" __global__ void __launch_bounds__(256)
column_levels(const Image* __restrict__ images, const Area* __restrict__ areas, Sum* sums,
              Sum* squares) {
    const Image image = images[blockIdx.z];
    const ColumnPart part(image, areas[blockIdx.z]);
    if (!part.any()) return;
    unsigned sum = 0, square = 0;
    part.visit([&](unsigned short value) {
        const unsigned level = level_of(value);
        sum += level;
        square += level * level;
    });
    if (!sum) return;
    atomicAdd(&sums[image.first + part.column], (Sum)sum);
    atomicAdd(&squares[image.first + part.column], (Sum)square);
}

// Sets each row's sum of levels, and of their squares.
extern "C" __global__ void __launch_bounds__(256)
row_levels(const Image* __restrict__ images, const Area* __restrict__ areas, Sum* sums,
           Sum* squares) {
    const Image image = images[blockIdx.y];
    const RowPart part(image, areas[blockIdx.y]);
    if (!part.any) return;
    unsigned sum = 0, square = 0;
    part.visit([&](unsigned short value) {
        const unsigned level = level_of(value);
        sum += level;
        square += level * level;
    });
    sum = of_warp(sum);
    square = of_warp(square);
    if (threadIdx.x % 32) return;
    sums[image.first + part.row] = sum;
    squares[image.first + part.row] = square;
}

// Adds the number of each column's bright px; the array must be 0 before.
extern "C" __global__ void __launch_bounds__(256)
column_bright(const Image* __restrict__ images, const Area* __restrict__ areas, Sum* sums) {
    const Image image = images[blockIdx.z];
    const ColumnPart part(image, areas[blockIdx.z]);
    if (!part.any()) return;
    unsigned sum = 0;
    part.visit([&](unsigned short value) { sum += value > image.above; });
    if (sum) atomicAdd(&sums[image.first + part.column], (Sum)sum);
}

// Sets the number of each row's bright px.
extern "C" __global__ void __launch_bounds__(256)
row_bright(const Image* __restrict__ images, const Area* __restrict__ areas, Sum* sums) {
    const Image image = images[blockIdx.y];
    const RowPart part(image, areas[blockIdx.y]);
    if (!part.any) return;
    unsigned sum = 0;
    part.visit([&](unsigned short value) { sum += value > image.above; });
    sum = of_warp(sum);
    if (threadIdx.x % 32 == 0) sums[image.first + part.row] = sum;
}

// Adds the number of each column's px that differ from its first; the array must be 0 before.
extern "C" __global__ void __launch_bounds__(256)
column_changes(const Image* __restrict__ images, const Area* __restrict__ areas, Sum* sums) {
    const Image image = images[blockIdx.z];
    const Area area = areas[blockIdx.z];
    const ColumnPart part(image, area);
    if (!part.any()) return;
    const unsigned wanted = cleaned(image, part.value(area.top));
    unsigned sum = 0;
    part.visit([&](unsigned short value) { sum += cleaned(image, value) != wanted; });
    if (sum) atomicAdd(&sums[image.first + part.column], (Sum)sum);
}

// Sets the number of each row's px that differ from its first.
extern "C" __global__ void __launch_bounds__(256)
row_changes(const Image* __restrict__ images, const Area* __restrict__ areas, Sum* sums) {
    const Image image = images[blockIdx.y];
    const RowPart part(image, areas[blockIdx.y]);
    if (!part.any) return;
    const unsigned wanted = cleaned(image, part.start[part.left]);
    unsigned sum = 0;
    part.visit([&](unsigned short value) { sum += cleaned(image, value) != wanted; });
    sum = of_warp(sum);
    if (threadIdx.x % 32 == 0) sums[image.first + part.row] = sum;
}
