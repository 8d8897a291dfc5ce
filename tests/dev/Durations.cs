// How long each step took the last time it passed here, kept beside the build output, so that whoever waits knows how
// long. A missing or spoilt file only means that nothing is said.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using FastBackup.Tests;

namespace FastBackup.Dev;

static class Durations
{
    static readonly string s_path = Repository.PathOf("tests/dev/obj/durations.txt");

    /// <returns>Null when it has not passed here yet.</returns>
    public static TimeSpan? Last(string step) =>
        Read().TryGetValue(step, out double seconds) ? TimeSpan.FromSeconds(seconds) : null;

    public static void Keep(string step, TimeSpan elapsed)
    {
        Dictionary<string, double> all = Read();
        all[step] = elapsed.TotalSeconds;
        List<string> lines = [];
        foreach ((string name, double seconds) in all)
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{name} {seconds:0.0}"));
        try
        {
            _ = Directory.CreateDirectory(Path.GetDirectoryName(s_path)!);
            File.WriteAllLines(s_path, lines);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The tests matter, not this.
        }
    }

    static Dictionary<string, double> Read()
    {
        Dictionary<string, double> all = [];
        if (!File.Exists(s_path))
            return all;
        foreach (string line in File.ReadAllLines(s_path))
        {
            int blank = line.LastIndexOf(' '); // a step's name may have blanks
            if (blank > 0 && double.TryParse(line[blank..], CultureInfo.InvariantCulture, out double seconds))
                all[line[..blank]] = seconds;
        }
        return all;
    }
}
