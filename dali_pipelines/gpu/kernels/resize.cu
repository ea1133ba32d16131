// Crop, mirror, resize, pad, normalize and cast: all images of a batch in one launch.
//
// Same numbers as cpu/resize.py, to the bit: places and weights in double, then rounded to float;
// for each source column the weighted sum over rows from the lowest up, then over columns from the
// lowest up, then * scale, + shift; compiled without fused multiply-add.
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
// In flight: 4 blocks a multiprocessor, as 64 registers allow, of 256 threads with 8 loads of 2 B
// are 16 KB; 132 times 16 KB every 0.6 us (about the latency of DRAM) are 3.5 TB/s.
// All of these are counts; none is a measurement.
//
// Flushing subnormal floats to zero, which CuPy asks of the compiler, changes nothing: no weight
// and no sum comes near 1e-38, nor does the output unless std is above 1e30.
constexpr int TILE_ROWS = 64, TILE_COLUMNS = 32;  // gpu/resize.py has them too
constexpr int WARPS = 8;
constexpr int CHUNK = 128;  // source columns summed at once: those of 32 outputs up to factor 4
constexpr int GROUP = 4;    // source rows summed at once: those of one output up to factor 3

enum Dtype { FLOAT32, BFLOAT16, FLOAT16 };

struct Image {
    unsigned long long pixels;  // address of (H', W') uint16 display values
    int width;                  // W'
};

struct Box {
    int top, bottom, left, right, mirror, found;
};

struct Content {
    int top, left, height, width;  // px of the output that the box takes up
};

// The source px of one output row or column: `count` of them from `start`, which is relative to the
// box. Outside the content there are none, and `start` is the end of the source that is nearer, so
// that starts never fall from left to right.
struct Span {
    int start, count;
    float first, inner, last;
};

// geometry.content_size and content_corner; rint rounds halves to even, as Python's round does.
static __device__ Content place(Box box, int height, int width, int keep_aspect, int centered) {
    if (!keep_aspect) return {0, 0, height, width};
    int rows = box.bottom - box.top, columns = box.right - box.left;
    double scale = fmin(double(height) / rows, double(width) / columns);
    int h = min(height, max(1, int(rint(rows * scale))));
    int w = min(width, max(1, int(rint(columns * scale))));
    return {(height - h) / 2, centered ? (width - w) / 2 : 0, h, w};
}

// What cpu/resize.py gives one output sample along one axis.
static __device__ Span span(int index, int count_in, int count_out) {
    if (index < 0) return {0, 0, 0, 0, 0};
    if (index >= count_out) return {count_in, 0, 0, 0, 0};
    double low = double(index) * count_in / count_out;
    double high = double(index + 1) * count_in / count_out;
    if (count_out >= count_in) {
        double center = fmin(fmax((low + high) / 2 - 0.5, 0.), double(count_in - 1));
        int lower = int(center);
        double share = center - lower;
        return {lower, share > 0 ? 2 : 1, float(1 - share), 0, float(share)};
    }
    // A factor above 1 reaches past the px it starts in: there are at least two.
    int start = int(low), end = int(ceil(high));
    double weight = double(count_out) / count_in;
    return {start, end - start, float((start + 1 - low) * weight), float(weight),
            float((high - (end - 1)) * weight)};
}

// The weight of the k-th px of a span; 0 past its end, which adds nothing to a sum.
static __device__ float weight_at(Span span, int k) {
    if (k == 0) return span.first;
    if (k < span.count - 1) return span.inner;
    return k < span.count ? span.last : 0.f;
}

// sums[c] for c in [0, count): the weighted sum of a source column from the row's first px on,
// which is corner[step * c]. Each lane keeps to its own columns.
static __device__ void sum_down(float* sums, int count, int lane, const unsigned short* corner,
                                int step, int width, Span row) {
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
static __device__ float sum_across(float sum, const float* sums, int begin, int end,
                                   Span column) {
    int stop = min(end, column.start + column.count);
    for (int c = max(begin, column.start); c < stop; c++)
        sum += sums[c - begin] * weight_at(column, c - column.start);
    return sum;
}

// For each lane the sum over its own column's and the warp's row's source px. The warp's columns
// lie in [begin, end); `sums` has room for CHUNK of them.
static __device__ float sum_box(float* sums, int lane, const unsigned short* corner, int step,
                                int width, const Span& row, const Span& column, int begin,
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

// Bits of the nearest bfloat16, halves to even: float32 without its lower half.
static __device__ unsigned short bfloat16_bits(float value) {
    unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;  // NaN would carry into -0
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// Bits of the nearest IEEE 754 binary16, halves to even. What rounds up to 2**16 becomes infinite:
// the carry out of the largest exponent gives those bits.
static __device__ unsigned short float16_bits(float value) {
    unsigned bits = __float_as_uint(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size > 0x7f800000) return 0x7e00;          // not a number
    if (size >= 0x47800000) return sign | 0x7c00;  // 2**16 and more
    unsigned kept = size - 0x38000000, drop = 13;  // the exponent's bias is 15 for 127
    if (size < 0x38800000) {                       // below 2**-14: count units of 2**-24
        kept = (size & 0x7fffff) | 0x800000;
        drop = min(126 - (size >> 23), 25u);  // 25: less than half a unit
    }
    return sign | (kept + (1u << (drop - 1)) - 1 + (kept >> drop & 1)) >> drop;
}

static __device__ void store(void* out, long long index, int dtype, float value) {
    if (dtype == FLOAT32) static_cast<float*>(out)[index] = value;
    else static_cast<unsigned short*>(out)[index] =
             dtype == BFLOAT16 ? bfloat16_bits(value) : float16_bits(value);
}

// Block (32, WARPS); grid (tiles across, tiles down, images). `out` (N, channels, height, width).
extern "C" __global__ void __launch_bounds__(32 * WARPS, 4)
    resize(const Image* __restrict__ images, const Box* __restrict__ boxes, void* out, int dtype,
           int channels, int height, int width, int keep_aspect, int centered, float scale,
           float shift) {
    __shared__ Span columns[TILE_COLUMNS], rows[TILE_ROWS];
    __shared__ float sums[WARPS][CHUNK];
    const int lane = threadIdx.x, warp = threadIdx.y;
    const int tile_top = blockIdx.y * TILE_ROWS, x = blockIdx.x * TILE_COLUMNS + lane;
    const Image image = images[blockIdx.z];
    const Box box = boxes[blockIdx.z];

    if (warp <= TILE_ROWS / 32) {  // the first warp for the columns, one for each 32 rows
        Content content = place(box, height, width, keep_aspect, centered);
        if (warp == 0) {
            columns[lane] = span(x - content.left, box.right - box.left, content.width);
        } else {
            int row = (warp - 1) * 32 + lane;
            rows[row] = span(tile_top + row - content.top, box.bottom - box.top, content.height);
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
        float value = sum * scale + shift;
        for (int channel = 0; x < width && channel < channels; channel++) {
            long long plane = (long long)blockIdx.z * channels + channel;
            store(out, (plane * height + tile_top + r) * width + x, dtype, value);
        }
    }
}
