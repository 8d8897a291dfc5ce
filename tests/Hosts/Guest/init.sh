#!/bin/busybox sh
# The first and only program of the guest: makes the machine usable, then runs each line that comes in at the second
# serial port and answers with what it prints and "done EXITCODE".
/bin/busybox mkdir -p /mnt /tmp
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox --install -s /bin
export PATH=/bin
for module in /modules/*; do
  insmod "$module"
done
. /rounds.sh
exec </dev/ttyS1 >/dev/ttyS1 2>&1
stty raw -echo
echo "done 0"
while read -r line; do
  eval "$line"
  echo "done $?"
done
