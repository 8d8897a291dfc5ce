#!/bin/bash
# On a booted system with the package fastbackup: its units serve, back up, survive a kill and go. Its last line is
# said where all of that is right. Run by PackageTests.
set -ex
mkdir -p /srv/vm7 /backup /etc/fastbackup/serve
head -c 8388608 /dev/urandom > /srv/vm7/disk.img
echo 'DISKS=system=/srv/vm7/disk.img' > /etc/fastbackup/serve/vm7.conf
uri='nbd+unix:///system?socket=/run/fastbackup/vm7.sock'

systemctl start fastbackup-serve@vm7
[ "$(stat -c %a /run/fastbackup/vm7.sock)" = 660 ]
fastbackup live-backup /run/fastbackup/vm7/monitor.sock /backup/
cmp /srv/vm7/disk.img /backup/system.img
grep -q 'fastbackup.slice' "/proc/$(systemctl show -p MainPID --value fastbackup-serve@vm7)/cgroup"

# Who comes while it is restarted waits.
kill -9 "$(systemctl show -p MainPID --value fastbackup-serve@vm7)"
fastbackup compare "$uri" /backup/system.img
systemctl stop fastbackup-serve@vm7
[ ! -e /run/fastbackup/vm7.sock ] && [ ! -e /run/fastbackup/vm7 ]

printf 'repository = "/backup/repo"\npassword-file = "secret"\n[[disk]]\npath = "/srv/vm7/disk.img"\n' \
  > /etc/fastbackup/vm7.toml
echo word > /etc/fastbackup/secret
chmod 600 /etc/fastbackup/secret
fastbackup repo init /backup/repo --password-file /etc/fastbackup/secret
systemctl start fastbackup-run@vm7
fastbackup repo restore /backup/repo /backup/restored.img --password-file /etc/fastbackup/secret
cmp /srv/vm7/disk.img /backup/restored.img
systemctl start fastbackup-run@vm7.timer
systemctl list-timers | grep -q fastbackup-run@vm7

rm -r /etc/fastbackup/serve/vm7.conf /etc/fastbackup/vm7.toml /etc/fastbackup/secret
systemctl start --no-block fastbackup-run@vm7.timer
apt-get purge -y fastbackup
[ ! -e /etc/fastbackup ] && [ ! -e /run/fastbackup ] && [ ! -e /var/lib/fastbackup ]
! systemctl is-active fastbackup-run@vm7.timer
echo all units are right
