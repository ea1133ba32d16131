// Reduced images, a block of px to each px: the first of two launches that find the breast.
//
// Each px is read once: 2 bytes and 2 integer operations, so 17 MB for 8.5 MP, which takes 5 us at
// the 3.35 TB/s of an H100. These are counts; none is a measurement.

#include "reduced_image.cuh"

template <int PX>
struct alignas(2 * PX) Pack {  // neighbors in a row that one load brings
    unsigned short px[PX];
};

// Adds rows [top, bottom) to the sums of the row of blocks that they make up. Neighboring threads
// read neighboring packs; the width is a whole number of packs, so none straddles two rows.
template <int PX>
__device__ void add_rows(const Image& image, int top, int bottom, unsigned* sums) {
    for (int left = threadIdx.x * PX; left < image.width; left += blockDim.x * PX) {
        unsigned columns[PX] = {};
#pragma unroll 4  // loads under way at once: a load of one px alone leaves the memory idle
        for (int row = top; row < bottom; ++row) {
            const unsigned short* start = image.values + (long long)row * image.width + left;
            const Pack<PX> pack = *reinterpret_cast<const Pack<PX>*>(start);
            for (int k = 0; k < PX; ++k) columns[k] += pack.px[k];
        }
        for (int k = 0; k < PX; ++k) atomicAdd(&sums[(left + k) / image.edge], columns[k]);
    }
}

// Rounded-down means of blocks of edge x edge px; those at the right and lower edges are smaller.
// One thread block (256) a row of blocks: grid (most rows of blocks in an image, images).
// uint32 holds the sum of 256 x 256 px, so images of up to 65,536 px a side.
extern "C" __global__ void __launch_bounds__(256)
block_means(const Image* __restrict__ images, unsigned short* __restrict__ means) {
    __shared__ unsigned sums[REDUCED_SIZE];
    const Image image = images[blockIdx.y];
    const int top = blockIdx.x * image.edge;
    if (top >= image.height) return;
    const int bottom = min(top + image.edge, image.height);
    const int thread = threadIdx.x;
    sums[thread] = 0;
    __syncthreads();

    const unsigned long long alignment =
        reinterpret_cast<unsigned long long>(image.values) | 2ull * image.width;
    if (alignment % 16 == 0) add_rows<8>(image, top, bottom, sums);
    else if (alignment % 8 == 0) add_rows<4>(image, top, bottom, sums);
    else if (alignment % 4 == 0) add_rows<2>(image, top, bottom, sums);
    else add_rows<1>(image, top, bottom, sums);
    __syncthreads();

    if (thread >= image.columns) return;
    const unsigned count = (bottom - top) * min(image.edge, image.width - thread * image.edge);
    means[image.first + (long long)blockIdx.x * image.columns + thread] = sums[thread] / count;
}
