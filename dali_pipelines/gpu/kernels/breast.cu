// The box around the breast in each reduced image of a batch, as in cpu/finders/auto.py: leave out
// the frame, tell the background, open what stands out from it, measure its largest part.
// block_means.cu made the reduced images.
//
// They have at most 256 x 256 px, each of which costs about 100 bytes, nearly all in the cache, and
// 500 operations: for 8.5 MP, in blocks of 13 x 13, 0.6 bytes and 3 operations to each px of the
// image. These are counts; none is a measurement.
//
// All values are integers but for the margin, which is one rounded product of doubles.

#include "reduced_image.cuh"
#include "tally.cuh"
#include "union_find.cuh"
#include "breast_frame.cuh"
#include "breast_background.cuh"
#include "breast_part.cuh"

struct Part {  // half-open, in blocks; lean: how many more of its px lie in the right half
    int top, bottom, left, right, lean;
};

// The box of the rows and columns that hold enough of a mask. `left` is the column of a frame of
// `columns` in which the mask begins.
__device__ void measure_part(const Mask& mask, int left, int columns, Part* part) {
    const int few = max(mask.rows, mask.columns) * FEW / REDUCED_SIZE, thread = threadIdx.x;
    int in_row = 0, in_column = 0;
    if (thread < mask.rows)
        for (int k = 0; k < ROW_WORDS; ++k) in_row += __popc(mask.words[thread * ROW_WORDS + k]);
    if (thread < mask.columns)
        for (int row = 0; row < mask.rows; ++row) in_column += mask.has(row, thread);
    if (in_row > few) {
        atomicMin(&part->top, thread);
        atomicMax(&part->bottom, thread + 1);
    }
    if (in_column > few) {
        atomicMin(&part->left, thread);
        atomicMax(&part->right, thread + 1);
    }
    const int half = columns / 2, column = left + thread;
    if (column >= columns - half) atomicAdd(&part->lean, in_column);
    else if (column < half) atomicAdd(&part->lean, -in_column);
}

struct Box {  // a row of (N, 6) int32, the columns boxes.FIELDS
    int top, bottom, left, right, mirror, found;
};

// The part in px, widened by the margin and cut at the frame's inner edges; the whole frame where no
// part, or none large enough, was found.
__device__ Box full_size(
    const Image& image, const Picture& inside, const Part& part, double margin, bool chest_left) {
    const int area = (part.bottom - part.top) * (part.right - part.left), edge = image.edge;
    if (part.bottom <= part.top || part.right <= part.left || area < image.least_area)
        return {0, image.height, 0, image.width, 0, 0};
    const int top = (inside.top + part.top) * edge, bottom = (inside.top + part.bottom) * edge;
    const int left = (inside.left + part.left) * edge, right = (inside.left + part.right) * edge;
    const int extra_rows = (int)((bottom - top) * margin);
    const int extra_columns = (int)((right - left) * margin);
    return {max(inside.top * edge, top - extra_rows),
            min(min(image.height, inside.bottom * edge), bottom + extra_rows),
            max(inside.left * edge, left - extra_columns),
            min(min(image.width, inside.right * edge), right + extra_columns),
            chest_left && part.lean > 0,
            1};
}

// The box in each reduced image. One thread block (1024) an image: grid (images).
// least: levels by which a breast stands out at least; labels and sizes: scratch.
extern "C" __global__ void __launch_bounds__(1024, 1)
find_breast(const Image* __restrict__ images, const unsigned short* __restrict__ means,
            int* labels, int* sizes, int least, double margin, int chest_left, Box* boxes) {
    __shared__ FrameScratch frame;
    __shared__ BackgroundScratch levels;
    __shared__ unsigned lit[MOST_WORDS], words[MOST_WORDS], spare[MOST_WORDS];
    __shared__ unsigned long long largest;
    __shared__ Part part;
    const Image image = images[blockIdx.x];
    means += image.first;
    if (threadIdx.x == 0) {
        largest = 0;
        part = {image.rows, 0, image.columns, 0, 0};
    }
    const Picture all = {means, image.columns, 0, image.rows, 0, image.columns};
    const Picture picture = inside_frame(all, &frame);
    const Background background = tell_background(picture, least, &levels);
    if (background.contrast) {
        const auto stands_out = [&](int row, int column) {
            return background.stands_out(picture.at(row, column));
        };
        fill({lit, picture.rows(), picture.columns()}, stands_out);
        const Mask mask = {words, picture.rows(), picture.columns()};
        fill(mask, stands_out);
        const Mask breast = breast_part(
            mask, lit, spare, labels + image.first, sizes + image.first, &largest);
        measure_part(breast, picture.left, image.columns, &part);
        __syncthreads();
    }
    if (threadIdx.x == 0)
        boxes[blockIdx.x] = full_size(image, picture, part, margin, chest_left);
}
