// Crop, mirror, resize, pad, normalize and cast: all images of a batch in one launch. Where each
// image is normalized by its own values this writes display values; normalize.cu does the rest.
//
// Same numbers as cpu/resize.py, to the bit: places and weights in double, then rounded to float;
// for each source column the weighted sum over rows from the lowest up, then over columns from the
// lowest up, then to a level, * scale, + shift; compiled without fused multiply-add.
//
// A block makes a tile of TILE_ROWS x TILE_COLUMNS output px, a warp one row of it at a time. Its
// lanes first sum down the source columns that the row needs, neighbors reading neighbors, into
// shared memory, then each lane sums across its own columns. That is the order of sums above; it
// needs no list of weights, so no factor is too large; and 32 lanes stay busy where one output px
// covers thousands of source px. One thread an output px would need no shared memory, but repeats
// the sum down a column for each px that shares it, and from a factor of 16 on reads one 2-byte px
// of each 32-byte sector at a time.
//
// Bytes: each px of the box is read once from DRAM, 2 B; the row or column that two tiles share,
// one in 64 * factor or 32 * factor, comes from the cache. Each output px is written once, 2 or 4 B
// a channel, padding too. Box 4096 x 2000 to 1536 x 768 float32: 16.4 MB + 4.7 MB, which takes
// 6 us at the 3.35 TB/s of an H100 and 66 us at the 320 GB/s of a T4.
// Operations for the same box, factor 2.67: a row of outputs needs 3.3 source rows on average,
// taken as groups of 4, so 4 / 2.67 = 1.5 loads, conversions, multiplications and additions in
// float for each source px, and 3.3 more multiplications and additions for each output px.
// Doubles: about 80 operations for each row and column of a tile and none for a px. A tile of 2048
// px takes 3 warps through them: 4 k cycles where a multiprocessor has two double lanes, or 35 us
// of a T4 for that box, beside its 66 us of memory.
// The triangle works a weight out where it is used, in 8 operations in double: 6.3 weights across
// for each output px and, as each lane needs those of its row, 8 down. That makes 140 million for
// that box, 1 ms of a T4 and 8 us of an H100. Linear skips rows of the source, but no columns.
// In flight: 4 blocks a multiprocessor, as 64 registers allow, of 256 threads with 8 loads of 2 B
// are 16 KB; 132 times 16 KB every 0.6 us (about the latency of DRAM) are 3.5 TB/s.
// All of these are counts; none is a measurement.
//
// Flushing subnormal floats to zero, which CuPy asks of the compiler, changes nothing: no weight
// and no sum comes near 1e-38, nor does the output unless std is above 1e30.
#include "output_values.cuh"
#include "resize_axes.cuh"

constexpr int TILE_ROWS = 64, TILE_COLUMNS = 32;  // gpu/resize.py has them too
constexpr int WARPS = 8;
constexpr int CHUNK = 128;  // source columns summed at once: those of 32 outputs up to factor 4
constexpr int GROUP = 4;    // source rows summed at once: those of one output up to factor 3

struct Output {  // what the recipe says
    int dtype, channels, height, width;
    int fit, centered, linear;  // resize_axes.cuh
    int down;                   // levels are rounded down, not to the nearest
    int step;                   // display values from one level to the next, 0 for no rounding
    float scale[3], shift[3];   // of each channel
};

struct Image {
    unsigned long long pixels;  // address of (H', W') uint16 display values
    int width;                  // W'
};

// sums[c] for c in [0, count): the weighted sum of a source column from the row's first px on,
// which is corner[step * c]. Each lane keeps to its own columns.
template <class Taps>
static __device__ void sum_down(float* sums, int count, int lane, const unsigned short* corner,
                                int step, int width, Taps row) {
    for (int k = 0; k < row.count; k += GROUP) {
        const unsigned short* lines[GROUP];
        float weights[GROUP];
        for (int j = 0; j < GROUP; j++) {
            lines[j] = corner + (long long)min(k + j, row.count - 1) * width;
            weights[j] = weight_at(row, k + j);
        }
#pragma unroll 2
        for (int c = lane; c < count; c += 32) {
            float sum = k ? sums[c] : 0;
            for (int j = 0; j < GROUP; j++) sum += __ldg(lines[j] + step * c) * weights[j];
            sums[c] = sum;
        }
    }
}

// What the sums down the source columns [begin, end) add to the sum across one output's columns.
template <class Taps>
static __device__ float sum_across(float sum, const float* sums, int begin, int end,
                                   Taps column) {
    int stop = min(end, column.start + column.count);
    for (int c = max(begin, column.start); c < stop; c++)
        sum += sums[c - begin] * weight_at(column, c - column.start);
    return sum;
}

// For each lane the sum over its own column's and the warp's row's source px. The warp's columns
// lie in [begin, end); `sums` has room for CHUNK of them.
template <class Taps>
static __device__ float sum_box(float* sums, int lane, const unsigned short* corner, int step,
                                int width, const Taps& row, const Taps& column, int begin,
                                int end) {
    float sum = 0;
    for (int chunk = begin; row.count && chunk < end; chunk += CHUNK) {
        int stop = min(end, chunk + CHUNK);
        sum_down(sums, stop - chunk, lane, corner + step * chunk, step, width, row);
        __syncwarp();
        sum = sum_across(sum, sums, chunk, stop, column);
        __syncwarp();
    }
    return sum;
}

// What cpu/normalize.py does with `bits` and `rounding`. 1 / 32 is ROUNDING_SLACK.
static __device__ float rounded(float value, int step, int down) {
    if (step == 0) return value;
    if (down) value += 1 / 32.f;
    value *= 1.f / step;
    return fminf(down ? floorf(value) : rintf(value), 65535 / step) * step;
}

// One tile of one image; the arrays are the block's shared memory.
template <class Taps>
static __device__ void resize_tile(Taps* columns, Taps* rows, float (*sums)[CHUNK],
                                   const Output& output, const Image* __restrict__ images,
                                   const Box* __restrict__ boxes, void* out) {
    const int lane = threadIdx.x, warp = threadIdx.y;
    const int tile_top = blockIdx.y * TILE_ROWS, x = blockIdx.x * TILE_COLUMNS + lane;
    const int height = output.height, width = output.width;
    const Image image = images[blockIdx.z];
    const Box box = boxes[blockIdx.z];

    if (warp <= TILE_ROWS / 32) {  // the first warp for the columns, one for each 32 rows
        Placement placed = place(box, height, width, output.fit, output.centered);
        if (warp == 0) {
            columns[lane] = box_taps<Taps>(x - placed.columns.corner, placed.columns,
                                           box.right - box.left, output.linear);
        } else {
            int row = (warp - 1) * 32 + lane;
            rows[row] = box_taps<Taps>(tile_top + row - placed.rows.corner, placed.rows,
                                       box.bottom - box.top, output.linear);
        }
    }
    __syncthreads();

    const unsigned short* source = reinterpret_cast<const unsigned short*>(image.pixels) +
                                   (long long)box.top * image.width +
                                   (box.mirror ? box.right - 1 : box.left);
    const int step = box.mirror ? -1 : 1;
    const int begin = columns[0].start;
    const int end = columns[TILE_COLUMNS - 1].start + columns[TILE_COLUMNS - 1].count;
    for (int r = warp; r < TILE_ROWS && tile_top + r < height; r += WARPS) {
        const unsigned short* corner = source + (long long)rows[r].start * image.width;
        float sum = sum_box(sums[warp], lane, corner, step, image.width, rows[r], columns[lane],
                            begin, end);
        float value = rounded(sum, output.step, output.down);
#pragma unroll
        for (int channel = 0; channel < 3; channel++) {  // a loop to 3 needs no list in memory
            if (x >= width || channel >= output.channels) break;
            long long plane = (long long)blockIdx.z * output.channels + channel;
            store(out, (plane * height + tile_top + r) * width + x, output.dtype,
                  value * output.scale[channel] + output.shift[channel]);
        }
    }
}

// As parameters these cost no loads and no registers; in memory, 5 loads for each row of a tile.
#define OUTPUT_PARAMETERS                                                                     \
    int dtype, int channels, int height, int width, int fit, int centered, int linear,        \
        int down, int step, float scale0, float scale1, float scale2, float shift0,           \
        float shift1, float shift2
#define OUTPUT                                                                                \
    {dtype, channels, height, width, fit, centered, linear, down, step,                       \
     {scale0, scale1, scale2}, {shift0, shift1, shift2}}

// Block (32, WARPS); grid (tiles across, tiles down, images). `out` (N, channels, height, width).
extern "C" __global__ void __launch_bounds__(32 * WARPS, 4)
    resize(const Image* __restrict__ images, const Box* __restrict__ boxes, void* out,
           OUTPUT_PARAMETERS) {
    __shared__ Span columns[TILE_COLUMNS], rows[TILE_ROWS];
    __shared__ float sums[WARPS][CHUNK];
    resize_tile(columns, rows, sums, OUTPUT, images, boxes, out);
}

// The same with the filter "triangle", whose weights take more registers.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 3)
    resize_triangle(const Image* __restrict__ images, const Box* __restrict__ boxes, void* out,
                    OUTPUT_PARAMETERS) {
    __shared__ Tent columns[TILE_COLUMNS], rows[TILE_ROWS];
    __shared__ float sums[WARPS][CHUNK];
    resize_tile(columns, rows, sums, OUTPUT, images, boxes, out);
}
