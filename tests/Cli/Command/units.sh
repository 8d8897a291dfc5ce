#!/bin/bash
# On a booted system with the package fastbackup: its units serve, back up, survive a kill and go. Its last line is
# said where all of that is right. Run by PackageTests.
set -ex
gone() { for path; do if [ -e "$path" ]; then echo "$path is there"; exit 1; fi; done; }

mkdir -p /srv/vm7 /backup /etc/fastbackup/serve
head -c 8388608 /dev/urandom > /srv/vm7/disk.img
echo 'DISKS=system=/srv/vm7/disk.img' > /etc/fastbackup/serve/vm7.conf
uri='nbd+unix:///system?socket=/run/fastbackup/vm7.sock'

systemctl enable --now fastbackup-serve@vm7
[ "$(stat -c %a /run/fastbackup/vm7.sock)" = 660 ]
fastbackup live-backup /run/fastbackup/vm7/monitor.sock /backup/
cmp /srv/vm7/disk.img /backup/system.img
grep -q 'fastbackup.slice' "/proc/$(systemctl show -p MainPID --value fastbackup-serve@vm7)/cgroup"

# An upgrade leaves a server as it is, and its unit is read again. Twice is as once.
process=$(systemctl show -p MainPID --value fastbackup-serve@vm7)
dpkg -i /next/fastbackup_*.deb
dpkg -i /next/fastbackup_*.deb
[ "$(systemctl show -p MainPID --value fastbackup-serve@vm7)" = "$process" ]
[ "$(systemctl show -p NeedDaemonReload --value fastbackup-serve@vm7)" = no ]
fastbackup compare "$uri" /backup/system.img

# Who comes while it is restarted waits.
kill -9 "$(systemctl show -p MainPID --value fastbackup-serve@vm7)"
fastbackup compare "$uri" /backup/system.img
systemctl stop fastbackup-serve@vm7
gone /run/fastbackup/vm7.sock /run/fastbackup/vm7

printf 'repository = "/backup/repo"\npassword-file = "secret"\n[[disk]]\npath = "/srv/vm7/disk.img"\n' \
  > /etc/fastbackup/vm7.toml
echo word > /etc/fastbackup/secret
chmod 600 /etc/fastbackup/secret
fastbackup repo init /backup/repo --password-file /etc/fastbackup/secret
systemctl start fastbackup-run@vm7
fastbackup repo restore /backup/repo /backup/restored.img --password-file /etc/fastbackup/secret
cmp /srv/vm7/disk.img /backup/restored.img
systemctl enable --now fastbackup-run@vm7.timer
systemctl list-timers | grep -q fastbackup-run@vm7

# Removed while all of it runs, then purged, twice: nothing runs, nothing is left, and the disks and copies are.
systemctl start fastbackup-serve@vm7
dpkg -r fastbackup
for unit in run@vm7.timer serve@vm7.service serve@vm7.socket; do
  if systemctl is-active "fastbackup-$unit"; then exit 1; fi
done
gone /run/fastbackup/vm7.sock
[ -e /etc/fastbackup/serve/vm7.conf ]
rm -r /etc/fastbackup/serve/vm7.conf /etc/fastbackup/vm7.toml /etc/fastbackup/secret
dpkg -P fastbackup
dpkg -P fastbackup
gone /etc/fastbackup /run/fastbackup /var/lib/fastbackup
[ -z "$(find /etc/systemd -name '*fastbackup*')" ]
cmp /srv/vm7/disk.img /backup/system.img
echo all units are right
