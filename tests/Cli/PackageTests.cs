// The packages on a machine of their own: a fresh Debian with nothing but what the packages ask for, in which they are
// installed, used, upgraded and removed, and after which nothing is left. FASTBACKUP_PACKAGES=full builds them twice,
// from nothing, in two folders and with all levels, asks lintian, boots that Debian in a container for its units, and
// makes and runs the image: many minutes. FASTBACKUP_PACKAGES=FOLDER does all of that with what release has made there.
using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class PackageTests : IDisposable
{
    public const string Variable = "FASTBACKUP_PACKAGES";
    const string Release = "native-api/packaging/release";

    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);
    static readonly TimeSpan s_fullLimit = TimeSpan.FromMinutes(20);
    static readonly string s_asked = Environment.GetEnvironmentVariable(Variable) ?? "";
    static readonly bool s_isFull = s_asked.Length > 0;

    /// <summary>What a system writes down of what it has installed, and not the packages.</summary>
    static readonly string[] s_ownFiles =
    [
        "/var/lib/dpkg/",
        "/var/lib/apt/",
        "/var/cache/",
        "/var/log/",
        "/etc/ld.so.",
    ];

    readonly TempFolder _folder = new();
    readonly DebianMachine _machine;

    public PackageTests() =>
        _machine = new DebianMachine(_folder["machine"]) { Seen = new() { ["/packages"] = _folder["packages"] } };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Packages_AreInstalledUsedUpgradedAndRemoved()
    {
        DebianMachine.Ask();
        foreach (string needed in new[] { "dh", "pkg-config", "nbdkit", "gcc" })
            Requires.Command(needed);
        Requires.That(BuiltCommand.Compiled != null, $"needs the compiled command: {BuiltCommand.Variable}");
        Task machine = Task.Run(() => DebianMachine.Make(_machine.Root), TestContext.Current.CancellationToken);
        try
        {
            MakePackages();
        }
        finally
        {
            await machine; // its folder goes at the end
        }

        string before = Files();
        string packages = string.Join(' ', Packages().Select(name => "/packages/" + name));
        Inside($"apt-get install -y --no-install-recommends {packages}");
        UseCommand();
        UseLibrary();
        UsePlugin();
        UseTarball();
        MakeNext();
        if (s_isFull)
        {
            UseUnits();
            UseImage();
        }
        Upgrade();
        Inside("apt-get purge -y fastbackup libfastbackup1 libfastbackup-dev nbdkit-plugin-fastbackup");
        Inside("apt-get autoremove --purge -y");
        Assert.Equal(before, Files());
        MissLibrary();
    }

    void MakePackages()
    {
        string date = "SOURCE_DATE_EPOCH=1700000000";
        if (s_isFull)
        {
            if (s_asked == "full")
                MakeTwice(date);
            else
                Run("cp", "-r", s_asked, _folder["packages"]);
            Requires.Command("lintian");
            string[] all = [.. Packages().Select(name => _folder["packages/" + name])];
            Assert.Equal("", Run("lintian", ["--allow-root", .. all]));
            return;
        }
        _ = BuiltLibrary.Folder;
        Run(Repository.PathOf("native-api/packaging/build-command"), "v3=" + BuiltCommand.Compiled);
        string[] quickly = [date, "DPKG_DEB_COMPRESSOR_TYPE=none"];
        Run("env", [.. quickly, Repository.PathOf(Release), "--staged", "--out", _folder["packages"]]);
    }

    /// <summary>The second time from a copy of the tree's own files, in a folder of another name.</summary>
    void MakeTwice(string date)
    {
        Run("env", date, Repository.PathOf(Release), "--out", _folder["packages"]);
        string copy = Directory.CreateDirectory(_folder["a/tree/of/another/name"]).FullName;
        string files = $"git -C '{Repository.Root}' ls-files -z --cached --others --exclude-standard";
        string take = $"tar -C '{Repository.Root}' --null -T - -cf - | tar -C '{copy}' -xf -";
        Run("sh", "-c", $"{files} | {take} && cd '{copy}' && dotnet tool restore");
        Run("env", date, copy + "/" + Release, "--out", _folder["again"]);
        Assert.Equal(File.ReadAllText(_folder["packages/SHA256SUMS"]), File.ReadAllText(_folder["again/SHA256SUMS"]));
    }

    string[] Packages() =>
        [.. Directory.GetFiles(_folder["packages"], "*.deb").Select(path => Path.GetFileName(path)).Order()];

    void UseCommand()
    {
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", Inside("fastbackup --version"));
        Assert.Contains("image equals T0", Inside("fastbackup demo --size 16MiB"));
        Assert.Contains("backup", Inside("cd /usr/share/man/man1 && zcat fastbackup-backup.1.gz"));
        string man = Run("env", "MANWIDTH=80", "man", "-M", _folder["machine/usr/share/man"], "fastbackup-serve");
        Assert.Contains("fastbackup serve DISK", man);
        Assert.Contains(
            "-F _fastbackup",
            Inside("source /usr/share/bash-completion/completions/fastbackup; complete -p")
        );
        foreach (string unit in new[] { "serve@.service", "serve@.socket", "run@.service", "run@.timer" })
            Assert.True(File.Exists(_folder["machine/usr/lib/systemd/system/fastbackup-" + unit]), unit);
        Assert.Equal("", Inside("cd / && find usr/share/doc/fastbackup -name copyright -empty"));
        Assert.Equal("", DeadLinks("/usr/share/doc/fastbackup/html"));
    }

    /// <summary>What the pages of a folder link to and is missing, as a browser that reads files would look.</summary>
    string DeadLinks(string folder)
    {
        const string links = "grep -hoE '(href|src)=\"[^\"#]+' *.html | cut -d'\"' -f2 | sort -u | grep -v ^http";
        return Inside(
            $"cd {folder} && [ -s index.html ] && for to in $({links}); do [ -s \"$to\" ] || echo \"$to\"; done"
        );
    }

    /// <summary>A program is made with header and pkg-config file of the package, and runs with its library.</summary>
    void UseLibrary()
    {
        string root = _folder["machine"];
        string flags = Run(
            "env",
            "PKG_CONFIG_SYSROOT_DIR=" + root,
            "PKG_CONFIG_LIBDIR=" + Directory.GetDirectories(root + "/usr/lib", "*-linux-gnu")[0] + "/pkgconfig",
            "pkg-config",
            "--cflags",
            "--libs",
            "fastbackup"
        );
        Disks.Random(root + "/disk.img", 8 << 20);
        string source = Repository.PathOf("native-api/samples/full_backup.c");
        Run(
            "gcc",
            [
                source,
                .. flags.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries),
                "-o",
                root + "/full_backup",
            ]
        );
        Inside("/full_backup /disk.img /copy.img && cmp /disk.img /copy.img && rm /copy.img /full_backup");
    }

    void UsePlugin()
    {
        string line = "fastbackup backup \"nbd+unix:///?socket=$unixsocket\" /copy.img";
        Inside($"nbdkit -U - fastbackup /disk.img --run '{line}' && cmp /disk.img /copy.img");
        Inside("rm /disk.img /copy.img");
    }

    /// <summary>Without OpenSSL, which a tarball cannot ask for: what needs it says so, and the rest works.</summary>
    void MissLibrary()
    {
        Run("cp", "-a", _folder["root/opt/fb"], _folder["machine/opt/"]);
        Assert.Contains("are left out: OpenSSL is not", Inside("/opt/fb/bin/fastbackup demo --size 16MiB"));
        string said = Inside("/opt/fb/bin/fastbackup repo init /opt/repo 2>&1 || echo $?");
        Assert.Equal("'repo' needs OpenSSL, which is not on this machine", said.Split(": ")[1].Split(';')[0]);
        Assert.EndsWith("\n1\n", said, StringComparison.Ordinal);
        Assert.Contains("install it, on Debian the package libssl3", Inside("/opt/fb/bin/fastbackup doctor"));
        Inside("cd /opt && head -c 3M /dev/urandom > a && fb/bin/fastbackup backup a b --json && cmp a b");
    }

    /// <summary>Another copy of the machine is booted; units.sh runs there, and says how far it came.</summary>
    void UseUnits()
    {
        Requires.Command("systemd-nspawn");
        string booted = _folder["booted"];
        Run("cp", "-a", _folder["machine"], booted);
        Run("chroot", booted, "apt-get", "install", "-y", "--no-install-recommends", "systemd-sysv", "dbus");
        File.Copy(Repository.PathOf("tests/Cli/Command/units.sh"), booted + "/units.sh");
        const string unit = """
            [Unit]
            After=basic.target
            [Service]
            Type=oneshot
            StandardOutput=file:/said
            StandardError=inherit
            ExecStart=/bin/bash /units.sh
            ExecStopPost=/bin/systemctl --no-block exit 0
            """;
        File.WriteAllText(booted + "/etc/systemd/system/units.service", unit);
        const string boot = """
            umount -R /sys/fs/cgroup
            mount -t cgroup2 none /sys/fs/cgroup
            export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
            exec systemd-nspawn --quiet --keep-unit --register=no -D "$1" --boot systemd.unit=units.service
            """;
        using RunningProgram machine = new("", "unshare", ["--mount", "sh", "-c", boot, "sh", booted]);
        _ = machine.Wait(s_fullLimit);
        string said = File.ReadAllText(booted + "/said");
        Assert.True(said.EndsWith("all units are right\n", StringComparison.Ordinal), said);
    }

    /// <summary>
    /// By a user who is nobody, with what a container runtime allows by default: no io_uring, which it says, and the
    /// same copy.
    /// </summary>
    void UseImage()
    {
        foreach (string needed in new[] { "buildah", "podman", "crun", "newuidmap", "setpriv" })
            Requires.Command(needed);
        Requires.SystemPath("/etc/subuid");
        string package = Directory.GetFiles(_folder["packages"], "fastbackup_*.deb").Single();
        string image = Repository.PathOf("native-api/packaging/image");
        Run("env", "SUITE=" + DebianMachine.CodeName, image, "--out", _folder["image.tar"], package);
        Disks.Random(Directory.CreateDirectory(_folder["home/srv"]).FullName + "/disk.img", 3 << 20);
        const string line = """
            umount -R /sys/fs/cgroup
            mount -t cgroup2 none /sys/fs/cgroup
            home=$1/home
            mkdir "$home/run"
            echo nobody:100000:65536 > "$home/ids"
            chown -R nobody "$home"
            chmod 711 "$1"
            mount --bind "$home/ids" /etc/subuid
            mount --bind "$home/ids" /etc/subgid
            cd "$home"
            stores="--storage-driver vfs --root $home/store --runroot $home/runroot --cgroup-manager cgroupfs"
            podman() {
              setpriv --reuid=nobody --regid=nogroup --clear-groups \
                env HOME="$home" XDG_RUNTIME_DIR="$home/run" USER=nobody podman $stores "$@"
            }
            podman load -q -i "$1/image.tar"
            name=$(podman images -q)
            limits="--cgroups=disabled --network=none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
            podman run --rm $limits $name doctor
            podman run --rm $limits -v "$home/srv:/srv" $name backup /srv/disk.img /srv/copied.img
            """;
        string said = Run("unshare", "--mount", "sh", "-ec", line, "sh", _folder.Path);
        Assert.Contains("worker threads are used instead", said);
        Assert.Contains("a seccomp filter is on", said);
        Disks.AssertEqual(_folder["home/srv/disk.img"], _folder["home/srv/copied.img"]);
    }

    /// <summary>The same files under a newer version, and a unit that has changed.</summary>
    void MakeNext()
    {
        const string change = "for f in t/usr/lib/systemd/system/*@.service; do [ ! -e $f ] || echo '#' >> $f; done";
        string unpack = "dpkg-deb -R $p t && sed -i -E 's/0\\.[0-9]+\\.[0-9]+/&+next/' t/DEBIAN/control && " + change;
        string all = $"for p in *.deb; do {unpack} && dpkg-deb -Znone -b t next/ && rm -rf t || exit 1; done";
        Run("sh", "-c", $"cd '{_folder["packages"]}' && mkdir next && {all} && mv next '{_folder["machine"]}/'");
    }

    void Upgrade()
    {
        Inside("echo DISKS=/disk.img > /etc/fastbackup/serve/vm7.conf");
        Inside("apt-get install -y /next/*.deb");
        Assert.Matches(@"\+next$", Inside("dpkg-query -W -f '${Version}' fastbackup"));
        Assert.Equal("DISKS=/disk.img\n", Inside("cat /etc/fastbackup/serve/vm7.conf"));
        Inside("rm -r /next /etc/fastbackup/serve/vm7.conf");
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", Inside("fastbackup --version"));
    }

    /// <summary>What the sums are of is there, and the tarball installs without a package manager.</summary>
    void UseTarball()
    {
        Run("sh", "-c", $"cd '{_folder["packages"]}' && sha256sum -c --quiet SHA256SUMS");
        string tarball = Assert.Single(Directory.GetFiles(_folder["packages"], "*.tar.gz"));
        _ = Directory.CreateDirectory(_folder["unpacked"]);
        Run("tar", "-C", _folder["unpacked"], "--strip-components=1", "-xf", tarball);
        Run("env", "PREFIX=/opt/fb", "DESTDIR=" + _folder["root"], _folder["unpacked/install"]);
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", Run(_folder["root/opt/fb/bin/fastbackup"], "--version"));
        string unit = File.ReadAllText(_folder["root/opt/fb/lib/systemd/system/fastbackup-serve@.service"]);
        Assert.Contains("ExecStart=/opt/fb/bin/fastbackup serve", unit);
        Assert.True(File.Exists(_folder["root/opt/fb/lib/libfastbackup.so.1"]));
    }

    /// <summary>Every file of the machine but its own notes.</summary>
    string Files() =>
        string.Join(
            '\n',
            Inside("find / -xdev -not -path '/proc*' -not -path '/packages*' -not -path '/tmp*'")
                .Split('\n')
                .Where(path => !s_ownFiles.Any(own => path.StartsWith(own, StringComparison.Ordinal)))
                .Order(StringComparer.Ordinal)
        );

    /// <summary>A line of the shell on that machine.</summary>
    string Inside(string line) => _machine.Run(line, s_isFull ? s_fullLimit : s_limit);

    static string Run(string program, params string[] arguments)
    {
        using RunningProgram running = new("", program, arguments);
        return running.Wait(s_isFull ? s_fullLimit : s_limit).Expect(0).Output;
    }
}
