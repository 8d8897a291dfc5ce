// Builds and runs QEMU's hbitmap on this machine: the source package comes from Debian at run time, into a
// temporary folder that is kept for the next run; nothing of it is in this repository. Needs apt, gcc and a network.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Micro.Bitmaps;

static class PeerHbitmap
{
    /// <summary>
    /// The machine's own package sources, asked for source packages; lists and caches apart, so nothing is touched.
    /// </summary>
    const string FetchScript = """
        set -e
        mkdir -p lists/partial archives/partial include/qemu parts
        : > sources.list
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
          test -f "$file" || continue # there may be none of a kind
          case "$file" in
            *.list) sed -n 's/^deb /deb-src /p' "$file" >> sources.list ;;
            *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" > "parts/$(basename "$file")" ;;
          esac
        done
        options="-qq -o Dir::Etc::sourcelist=$PWD/sources.list -o Dir::Etc::sourceparts=$PWD/parts"
        options="$options -o Dir::State::lists=$PWD/lists -o Dir::Cache=$PWD -o APT::Sandbox::User=root"
        apt-get $options update
        apt-get $options --download-only source qemu
        tar xf qemu_*.orig.tar.xz --strip-components=1 --wildcards '*/util/hbitmap.c' '*/include/qemu/hbitmap.h'
        rm -f qemu_*.orig.tar.xz
        """;

    public static bool TryRun(TableOptions options, List<TableRow> rows)
    {
        string folder = Path.Combine(Path.GetTempPath(), "fastbackup-bench-hbitmap");
        Directory.CreateDirectory(folder);
        string source = Path.Combine(folder, "util", "hbitmap.c");
        if (!File.Exists(source) && !Shell(folder, FetchScript, null))
            return false;
        // Only the one header: the others next to it would be found before the stubs.
        string header = Path.Combine(folder, "header", "qemu");
        Directory.CreateDirectory(header);
        File.Copy(
            Path.Combine(folder, "include", "qemu", "hbitmap.h"),
            Path.Combine(header, "hbitmap.h"),
            overwrite: true
        );
        string own = Path.Combine(AppContext.BaseDirectory, "Peers", "hbitmap");
        string compile =
            $"gcc -O2 -w -I '{own}/stubs' -I '{own}/stubs/qemu' -I header util/hbitmap.c"
            + $" '{own}/hbitmap_bench.c' -o hbitmap_bench";
        if (!Shell(folder, compile, null))
            return false;
        string run = string.Create(
            CultureInfo.InvariantCulture,
            $"./hbitmap_bench {options.BitCountLog2} {options.Repetitions}"
        );
        return Shell(folder, run, line => rows.Add(Parse(line)));
    }

    static TableRow Parse(string line)
    {
        string[] parts = line.Split(' ');
        CultureInfo culture = CultureInfo.InvariantCulture;
        return new TableRow(
            parts[0],
            double.Parse(parts[1], culture),
            double.Parse(parts[2], culture),
            ulong.Parse(parts[3], culture)
        );
    }

    static bool Shell(string folder, string script, Action<string>? onLine)
    {
        ProcessStartInfo start = DefaultSignals.Start("/bin/sh", ["-c", script]);
        start.WorkingDirectory = folder;
        start.RedirectStandardOutput = true;
        using Process process = Process.Start(start)!;
        while (process.StandardOutput.ReadLine() is { } line)
            onLine?.Invoke(line);
        process.WaitForExit();
        if (process.ExitCode != 0)
            Console.Error.WriteLine($"the peer is not available: exit {process.ExitCode} of: {script}");
        return process.ExitCode == 0;
    }
}
