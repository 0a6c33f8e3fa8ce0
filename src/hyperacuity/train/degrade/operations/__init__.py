"""What degradations are made of, on batches on any device: kernels, noise, JPEG and MATLAB's bicubic, one file each."""
