// The window on the breast: cpu/finders/window.py, which names the method. Integers throughout.
//
// The numbers of lit px in the lines of the box are added up to running totals, some 10 operations
// and 32 bytes a line, all from the cache. These are counts; none is a measurement.
#include "lines.cuh"

// The box around the part that outlived, wider by `reach` px and, but not toward the chest wall, by
// `margin` more; the area to look at, empty where nothing outlived. A thread an image.
extern "C" __global__ void __launch_bounds__(64)
widen(const Image* __restrict__ images, const long long* __restrict__ leans, int reach, int margin,
      int mirrored, int count, Area* areas, Box* boxes) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const Image image = images[i];
    Box box = boxes[i];
    const bool chest_right = leans[i] > 0;
    box.mirror = mirrored && chest_right;
    if (box.found) {
        box.top = max(0, box.top - reach - margin);
        box.bottom = min(image.height, box.bottom + reach + margin);
        box.left = max(0, box.left - reach - (chest_right ? margin : 0));
        box.right = min(image.width, box.right + reach + (chest_right ? 0 : margin));
    }
    areas[i] = {box.top, box.found ? box.bottom : box.top, box.left, box.right};
    boxes[i] = box;
}

// The first place where `size` of the lines [first, end) hold most lit px; `turned`: the last one.
// totals: scratch, one for each line. The same for all threads.
__device__ int fullest(const Sum* lit, long long* totals, int first, int end, int size,
                       bool turned) {
    __shared__ Sum sums[SEARCHERS];
    __shared__ Sum best;
    const int each = (end - first + SEARCHERS - 1) / SEARCHERS;
    const int begin = min(end, first + (int)threadIdx.x * each), stop = min(end, begin + each);
    Sum own = 0;
    for (int i = begin; i < stop; ++i) own += lit[i];
    Sum upto = own;
    for (int reach = 1; reach < SEARCHERS; reach *= 2) {
        sums[threadIdx.x] = upto;
        __syncthreads();
        if (threadIdx.x >= reach) upto += sums[threadIdx.x - reach];
        __syncthreads();
    }
    Sum before = upto - own;
    for (int i = begin; i < stop; ++i) {
        totals[i] = before;  // lit px in the lines before this one
        before += lit[i];
    }
    if (threadIdx.x == 0) best = 0;
    __syncthreads();
    // An image has fewer than 2**31 px, so the number and the place fit into one key.
    Sum most = 0;
    for (int i = first + threadIdx.x; i + size <= end; i += blockDim.x) {
        const int last = i + size - 1;
        const Sum held = totals[last] + lit[last] - totals[i];
        const unsigned rank = turned ? i : ~(unsigned)i;
        most = max(most, held << 32 | rank);
    }
    atomicMax(&best, most);
    __syncthreads();
    return turned ? (int)(unsigned)best : (int)~(unsigned)best;
}

// Cuts each box to the columns, at most `size`, that hold most. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS)
choose_columns(const Image* __restrict__ images, const long long* __restrict__ leans,
               const Sum* __restrict__ lit, long long* totals, int size, Area* areas, Box* boxes) {
    const Image image = images[blockIdx.x];
    Box box = boxes[blockIdx.x];
    if (!box.found || box.right - box.left <= size) return;
    const int left = fullest(lit + image.first, totals + image.first, box.left, box.right, size,
                             leans[blockIdx.x] > 0);
    if (threadIdx.x) return;
    boxes[blockIdx.x].left = areas[blockIdx.x].left = left;
    boxes[blockIdx.x].right = areas[blockIdx.x].right = left + size;
}

// Cuts each box to the rows, at most `size`, that hold most. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS)
choose_rows(const Image* __restrict__ images, const Sum* __restrict__ lit, long long* totals,
            int size, Box* boxes) {
    const Image image = images[blockIdx.x];
    Box box = boxes[blockIdx.x];
    if (!box.found || box.bottom - box.top <= size) return;
    const int top =
        fullest(lit + image.first, totals + image.first, box.top, box.bottom, size, false);
    if (threadIdx.x) return;
    boxes[blockIdx.x].top = top;
    boxes[blockIdx.x].bottom = top + size;
}
