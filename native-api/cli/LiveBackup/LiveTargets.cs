// Which disks of a host are copied where: DISK=PATH for each, or one folder for all of them (DISK.img in it), or one
// path when the host has one disk.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

static class LiveTargets
{
    /// <summary>The host's disks, as query-block tells them; QEMU's storage daemon has no drives, only nodes.</summary>
    /// <returns>Null, or why they cannot be known, a sentence.</returns>
    public static string? TryAsk(MonitorLink link, out List<LiveDisk> disks)
    {
        disks = [];
        JsonNode? answer = link.Ask("query-block", []);
        bool isWithout = (string?)answer?["error"]?["class"] == "CommandNotFound";
        if (isWithout || answer?["return"] is JsonArray { Count: 0 })
            answer = link.Ask("query-named-block-nodes", []);
        if (answer?["return"] is not JsonArray items)
            return "the monitor does not tell its disks: "
                + (answer?["error"]?["desc"] ?? "it has closed the connection");
        foreach (JsonNode? item in items)
            if ((item!["inserted"] ?? item) is { } disk && disk["image"]?["virtual-size"] is { } size)
                disks.Add(new LiveDisk(NameOf(item, disk), (ulong)size));
        return null;
    }

    /// <returns>Null, or what is wrong, a sentence.</returns>
    public static string? TryChoose(List<LiveDisk> all, string[] targets, out List<LiveDisk> chosen)
    {
        chosen = [];
        string names =
            all.Count == 0 ? "it has none" : "its disks are " + string.Join(", ", all.Select(disk => disk.Name));
        if (targets.Length == 1 && (targets[0].EndsWith('/') || Directory.Exists(targets[0])))
            return TryFolder(all, targets[0], chosen);
        foreach (string target in targets)
        {
            int equals = target[0] is '/' or '.' ? -1 : target.IndexOf('=');
            bool isAlone = equals < 0 && targets.Length == 1 && all.Count == 1;
            if (equals < 0 && !isAlone)
                return $"'{target}' does not say which disk: give DISK=PATH for each, or one folder for all; {names}";
            LiveDisk? disk = isAlone ? all[0] : all.Find(one => one.Name == target[..equals]);
            if (disk == null)
                return $"the host has no disk '{target[..equals]}'; {names}";
            if (chosen.Contains(disk))
                return $"disk '{disk.Name}' is given twice";
            disk.Target = target[(equals + 1)..];
            if (disk.Target.Length == 0)
                return $"'{target}' names no target; give {disk.Name}=PATH";
            chosen.Add(disk);
        }
        return null;
    }

    static string? TryFolder(List<LiveDisk> all, string folder, List<LiveDisk> chosen)
    {
        if (!Directory.Exists(folder))
            return $"there is no folder '{folder}'";
        if (all.Count == 0)
            return "the host has no disks";
        foreach (LiveDisk disk in all)
        {
            if (disk.Name.Contains('/') || disk.Name is "" or "." or "..")
                return $"disk '{disk.Name}' cannot be the name of a file: give DISK=PATH for each";
            disk.Target = Path.Combine(folder, disk.Name + ".img");
        }
        chosen.AddRange(all);
        return null;
    }

    static string NameOf(JsonNode item, JsonNode disk) =>
        (string?)item["device"] is { Length: > 0 } device ? device : (string?)disk["node-name"] ?? "";
}
