<?php
// The order of Composer's Comparator. It leaves a "v" in front to the parser of versions, so that is cut off here.
require '/usr/share/php/Composer/Semver/autoload.php';

use Composer\Semver\Comparator;

while (($line = fgets(STDIN)) !== false) {
    [$a, $b] = explode(' ', trim($line));
    [$x, $y] = [preg_replace('/^v/i', '', $a), preg_replace('/^v/i', '', $b)];
    foreach (['<', '>', '='] as $operator) {
        if (Comparator::compare($x, $operator, $y)) {
            echo "$a $operator $b\n";
            break;
        }
    }
}
