# What the guest does with a file system at /mnt, in rounds, and how it later finds out whether a copy of it is right.
# Every round makes a folder of its own, which the next ones leave alone; works on files that all rounds share; takes
# the folder of three rounds ago away; and appends a numbered entry to a log after each step: the entry is on the disk
# before the guest says it. So a copy as of some moment has every entry that was said until then, and at most one more.

log_step() {
  entry=$((entry + 1))
  echo "entry $entry" >>/mnt/log && sync /mnt/log && echo "entry $entry"
}

# some FILE BLOCKS: random content in blocks of 1000 bytes, so that few ends are aligned
some() {
  dd if=/dev/urandom of="$1" bs=1000 count="$2" 2>/dev/null
}

# page INDEX: two pages of a file that is never newly made, as a database writes them
page() {
  dd if=/dev/urandom of=/mnt/pages bs=4096 seek="$1" count=2 conv=notrunc,fsync 2>/dev/null
}

begin() { # TYPE
  mount -t "$1" /dev/vda /mnt || return
  entry=0
  some /mnt/pages 1000 && log_step
}

round() { # NUMBER
  here=/mnt/round$1
  rm -rf /mnt/round$(($1 - 3)) && mkdir "$here" && log_step || return
  # many small files, every third one gone again
  for i in 1 2 3 4 5 6 7 8 9 10 11 12; do some "$here/small$i" "$i" || return; done
  rm "$here"/small3 "$here"/small6 "$here"/small9 "$here"/small12
  log_step || return
  # a larger one: flushed, overwritten in its middle, cut, made longer with a hole, renamed
  dd if=/dev/urandom of="$here/large" bs=64k count=24 conv=fsync 2>/dev/null &&
    dd if=/dev/urandom of="$here/large" bs=3000 seek=77 count=40 conv=notrunc,fsync 2>/dev/null &&
    truncate -s 1234567 "$here/large" && truncate -s 2000000 "$here/large" &&
    mv "$here/large" "$here/renamed" && log_step || return
  for i in 1 2 3 4 5 6 7 8; do
    page $((($1 * 37 + i * 29) % 240)) || return
  done
  log_step || return
  ln "$here/renamed" "$here/link" && ln -s renamed "$here/pointer" && cp /bin/busybox "$here/program" || return
  seal "$here" && fstrim /mnt && log_step
}

# Ends a folder with the checksums of what is in it, and says the checksum of these.
seal() {
  (cd "$1" && sha256sum * >/tmp/sums && mv /tmp/sums SUMS) && sync -f /mnt && seal_of "$1"
}

seal_of() {
  echo "sealed $(basename "$1") $(sha256sum <"$1/SUMS" | cut -c 1-64)"
}

# Checks each sealed folder and says its seal, then the last entry of the log.
check() { # DEVICE TYPE OPTIONS
  mount -t "$2" -o "$3" "$1" /mnt || return
  for sums in /mnt/*/SUMS; do
    folder=$(dirname "$sums")
    (cd "$folder" && sha256sum -c -s SUMS) && seal_of "$folder" || return
  done
  tail -n 1 /mnt/log
  umount /mnt
}
