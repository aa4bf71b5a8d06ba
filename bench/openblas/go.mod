module github.com/starvc/vc/bench/openblas

go 1.26.5

require github.com/starvc/vc v0.0.0

require golang.org/x/sys v0.43.0 // indirect

replace github.com/starvc/vc => ../..
