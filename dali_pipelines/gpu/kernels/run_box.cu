// The longest runs of lines that vary: cpu/finders/run.py, which names the method.
//
// A line costs two reads and a few operations, all from the cache. All values are integers but for
// the central share, which is one rounded product of doubles.
#include "lines.cuh"

struct Run {
    int first, after;
};

// Of two runs the one that counts more, of equal ones the first, has the greater key. A run that
// touches an edge counts one less for it, so a single line that is all there is counts -1.
__device__ Sum key_of(const Run& run, int count) {
    const int counted = run.after - run.first - (run.first == 0) - (run.after == count);
    return (Sum)(counted + 2) << 32 | (0xffffffffu - (unsigned)run.first);
}

// The last line up to each thread's own lines [begin, end) that does not vary, -1 for none.
__device__ int last_still_before(const Sum* changes, int begin, int end, int* latest) {
    int still = -1;
    for (int i = begin; i < end; ++i)
        if (!changes[i]) still = i;
    for (int reach = 1; reach < SEARCHERS; reach *= 2) {
        latest[threadIdx.x] = still;
        __syncthreads();
        if (threadIdx.x >= reach) still = max(still, latest[threadIdx.x - reach]);
        __syncthreads();
    }
    latest[threadIdx.x] = still;
    __syncthreads();
    return threadIdx.x ? latest[threadIdx.x - 1] : -1;
}

// The longest run of lines that vary, all lines where none does; the same for all threads.
__device__ Run longest_run(const Sum* changes, int count, int* latest, Sum* longest, Run* result) {
    const int each = (count + SEARCHERS - 1) / SEARCHERS;
    const int begin = min(count, (int)threadIdx.x * each), end = min(count, begin + each);
    if (threadIdx.x == 0) {
        *longest = 0;
        *result = {0, count};
    }
    int still = last_still_before(changes, begin, end, latest);  // has barriers
    Sum best = 0;
    Run run = {0, 0};
    for (int i = begin; i < end; ++i) {
        if (!changes[i]) still = i;
        else if (i + 1 == count || !changes[i + 1]) {
            const Run ended = {still + 1, i + 1};
            if (key_of(ended, count) <= best) continue;
            best = key_of(ended, count);
            run = ended;
        }
    }
    if (best) atomicMax(longest, best);
    __syncthreads();
    if (best && best == *longest) *result = run;  // one thread's: each run begins elsewhere
    __syncthreads();
    return *result;
}

// Sets each box's columns, and limits the area to the central part of them, of all rows.
// half: half of the central share. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS)
find_columns(const Image* __restrict__ images, Area* areas, const Sum* __restrict__ changes,
             double half, Box* boxes) {
    __shared__ int latest[SEARCHERS];
    __shared__ Sum longest;
    __shared__ Run result;
    const Image image = images[blockIdx.x];
    const Run run = longest_run(changes + image.first, image.width, latest, &longest, &result);
    if (threadIdx.x) return;
    boxes[blockIdx.x] = {0, image.height, run.first, run.after, 0, 1};
    const int count = run.after - run.first, reach = (int)(count * half);
    const int middle = run.first + count / 2;
    areas[blockIdx.x] = {0, image.height, reach ? middle - reach : run.first,
                         reach ? middle + reach : run.after};
}

// Sets each box's rows. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS)
find_rows(const Image* __restrict__ images, const Sum* __restrict__ changes, Box* boxes) {
    __shared__ int latest[SEARCHERS];
    __shared__ Sum longest;
    __shared__ Run result;
    const Image image = images[blockIdx.x];
    const Run run = longest_run(changes + image.first, image.height, latest, &longest, &result);
    if (threadIdx.x) return;
    boxes[blockIdx.x].top = run.first;
    boxes[blockIdx.x].bottom = run.after;
}
