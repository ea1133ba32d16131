// The ends of profiles: cpu/finders/profiles.py, which names the method.
//
// A line costs a square root and, for the two filters, 2 additions to each px of their length: for
// 5,355 rows and 53 px, 570,000 additions and 4.5 MB, nearly all from the cache. These are counts;
// none is a measurement.
//
// Sums are exact integers below 2**53; the double sums run from the first to the last term, as on
// the CPU; a product and a square root are rounded once. So both devices compare the same numbers.
#include "lines.cuh"

struct Lines {
    const Sum* sums;     // of the levels of each line
    const Sum* squares;  // of the squares of those
    double* deviations;  // scratch
    double* profile;     // scratch
    int count;
    long long px;  // in each line
    bool turned;   // lines are numbered from the last one

    __device__ int at(int i) const { return turned ? count - 1 - i : i; }
};

__device__ Sum bits_of(double value) {  // in the order of the values, which are not negative
    return (Sum)__double_as_longlong(value);
}

// Fills the profile, in the order of the lines as they are numbered, and sets its greatest value.
__device__ void make_profile(const Lines& lines, double smooth, Sum* greatest) {
    for (int i = threadIdx.x; i < lines.count; i += blockDim.x) {
        const Sum sum = lines.sums[lines.at(i)];
        lines.deviations[i] = sqrt((double)(lines.px * lines.squares[lines.at(i)] - sum * sum));
    }
    __syncthreads();
    const int length = max(1, (int)(lines.count * smooth));
    Sum own = 0;
    for (int i = threadIdx.x; i < lines.count; i += blockDim.x) {
        const int first = max(0, i - length / 2);
        const int last = min(lines.count - 1, i + (length - 1) / 2);
        Sum sum = 0;
        double deviation = 0;
        for (int k = first; k <= last; ++k) {
            sum += lines.sums[lines.at(k)];
            deviation += lines.deviations[k];
        }
        const double value = (double)sum * deviation;
        lines.profile[i] = value;
        own = max(own, bits_of(value));
    }
    atomicMax(greatest, own);
    __syncthreads();
}

// Sets `start` to the first place of the greatest value within [first, end), not an empty range.
__device__ void find_start(const Lines& lines, int first, int end, Sum* peak, int* start) {
    Sum own = 0;
    for (int i = first + threadIdx.x; i < end; i += blockDim.x)
        own = max(own, bits_of(lines.profile[i]));
    atomicMax(peak, own);
    __syncthreads();
    for (int i = first + threadIdx.x; i < end; i += blockDim.x)
        if (bits_of(lines.profile[i]) == *peak) atomicMin(start, i);
    __syncthreads();
}

// What the threads of a block find together; `after`: the first line from the start on that is
// below the threshold, `before`: the last one above the start.
struct Found {
    Sum greatest, peak;
    int start, before, after;
    __device__ void clear() {
        greatest = peak = 0;
        start = after = 1 << 30;
        before = -1;
    }
};

__device__ void find_ends(const Lines& lines, double share, Found* found) {
    const double least = share * __longlong_as_double((long long)found->greatest);
    for (int i = threadIdx.x; i < lines.count; i += blockDim.x) {
        if (!(lines.profile[i] < least)) continue;
        if (i < found->start) atomicMax(&found->before, i);
        else atomicMin(&found->after, i);
    }
    __syncthreads();
}

__device__ Box whole(const Image& image, int mirror) {
    return {0, image.height, 0, image.width, mirror, 0};
}

// Sets each box's columns, and limits the area to them; found 0 and an empty area where all is
// black. leans: above 0 where the picture is to be mirrored. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS, 1)
find_columns(const Image* __restrict__ images, Area* areas, const Sum* __restrict__ sums,
             const Sum* __restrict__ squares, double* deviations, double* profile,
             const long long* __restrict__ leans, double share, double smooth, Box* boxes) {
    __shared__ Found found;
    const Image image = images[blockIdx.x];
    const bool turned = leans[blockIdx.x] > 0;
    const Lines lines = {sums + image.first, squares + image.first, deviations + image.first,
                         profile + image.first, image.width, image.height, turned};
    if (threadIdx.x == 0) found.clear();
    __syncthreads();
    make_profile(lines, smooth, &found.greatest);
    find_start(lines, 0, max(1, (int)(lines.count * 0.75)), &found.peak, &found.start);
    find_ends(lines, share, &found);
    if (threadIdx.x) return;
    const int end = found.greatest ? min(found.after, lines.count - 1) : 0;
    Box box = whole(image, turned);
    box.left = turned ? image.width - end : 0;
    box.right = turned ? image.width : end;
    box.found = end > 0;
    areas[blockIdx.x] = {0, image.height, box.left, box.right};
    boxes[blockIdx.x] = box.found ? box : whole(image, turned);
}

// Sets each box's rows from the sums within its columns. One block (SEARCHERS) an image.
extern "C" __global__ void __launch_bounds__(SEARCHERS, 1)
find_rows(const Image* __restrict__ images, const Sum* __restrict__ sums,
          const Sum* __restrict__ squares, double* deviations, double* profile, double share,
          double smooth, Box* boxes) {
    __shared__ Found found;
    const Image image = images[blockIdx.x];
    Box box = boxes[blockIdx.x];
    if (!box.found) return;
    const Lines lines = {sums + image.first, squares + image.first, deviations + image.first,
                         profile + image.first, image.height, box.right - box.left, false};
    if (threadIdx.x == 0) found.clear();
    __syncthreads();
    make_profile(lines, smooth, &found.greatest);
    const int first = (int)(lines.count * 0.25), end = (int)(lines.count * 0.75);
    find_start(lines, first, max(first + 1, end), &found.peak, &found.start);
    find_ends(lines, share, &found);
    if (threadIdx.x) return;
    box.top = max(0, found.before);
    box.bottom = min(found.after, lines.count);
    boxes[blockIdx.x] = box.top < box.bottom ? box : whole(image, box.mirror);
}
