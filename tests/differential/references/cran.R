# The order of R's compareVersion. package_version only says what is a version at all: R 4.2 takes 1.1.0 and 1.1.0.0 for
# equal there, against its own manual.
pairs <- strsplit(readLines(file("stdin")), " ")
a <- vapply(pairs, `[`, "", 1)
b <- vapply(pairs, `[`, "", 2)
valid <- !is.na(package_version(a, strict = FALSE)) & !is.na(package_version(b, strict = FALSE))
order <- mapply(compareVersion, a[valid], b[valid])
cat(paste(a[valid], c("<", "=", ">")[order + 2], b[valid]), sep = "\n")
