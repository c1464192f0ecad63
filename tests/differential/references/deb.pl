# The order of dpkg's own Dpkg::Version.
use strict;
use warnings;

use Dpkg::Version;

while (my $line = <STDIN>) {
    my ($left, $right) = split ' ', $line;
    my ($x, $y) = map { Dpkg::Version->new($_, check => 1) } $left, $right;
    next unless $x && $y && $x->is_valid && $y->is_valid;
    my $order = version_compare($x, $y);
    print "$left ", ('<', '=', '>')[$order + 1], " $right\n";
}
