// Reads a configuration file in TOML: all of it, so that every mistake is told at once. Paths in it are the file's
// folder's, wherever the command is started. It opens nothing that the file names.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Repositories;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace FastBackup.Cli;

/// <summary>Threads: one. Used once.</summary>
sealed class ConfigReader
{
    const int KeepMost = 100_000;
    const int SecondsMost = 3600;

    readonly string _file;
    readonly string _folder;
    readonly List<string> _problems = [];
    readonly List<ConfigTable> _disks = [];
    readonly Dictionary<string, ConfigTable> _tables = [];

    ConfigReader(string file) => (_file, _folder) = (file, Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/");

    /// <param name="file">For sentences, and where its paths begin.</param>
    /// <param name="text">Its content.</param>
    /// <param name="problems">What is wrong, a sentence each; empty: nothing.</param>
    /// <returns>Null when something is wrong.</returns>
    public static RunConfig? Read(string file, string text, out IReadOnlyList<string> problems)
    {
        ConfigReader reader = new(file);
        DocumentSyntax document = SyntaxParser.Parse(text, file);
        if (document.HasErrors)
        {
            problems =
            [
                .. document.Diagnostics.Select(one =>
                    Phrases.Text($"{file}:{one.Span.Start.Line + 1}: ") + Phrases.OneLine(one.Message)
                ),
            ];
            return null;
        }
        RunConfig config = reader.Read(document);
        problems = reader._problems;
        return reader._problems.Count == 0 ? config : null;
    }

    RunConfig Read(DocumentSyntax document)
    {
        ConfigTable top = new(_file, "", 1, _problems);
        foreach (KeyValueSyntax pair in document.KeyValues)
            top.Add(pair);
        foreach (string name in (string[])["keep", "hooks", "report"])
            _tables[name] = new ConfigTable(_file, $"[{name}]", 1, _problems);
        foreach (TableSyntaxBase table in document.Tables)
            Sort(table);
        if (_disks.Count == 0)
            _problems.Add($"{_file}:1: no disk is named; write [[disk]] and a path below it");
        PointSourceRequest[] disks = [.. _disks.Select(ReadDisk)];
        for (int i = 0; i < disks.Length; i++)
            if (disks.Take(i).Any(other => other.Disk == disks[i].Disk))
                _disks[i].Wrong("name", $"two disks are called '{disks[i].Disk}'; give each a 'name'");
        string host = top.Text("host", DiskNames.Check) ?? DiskNames.Host();
        RunConfig config = new()
        {
            Place = ReadPlace(top),
            Host = host,
            Disks = disks,
            Tags = top.Texts("tags") ?? [],
            ChunkBytes = top.Size("chunk", RepositoryOptions.CheckChunk),
            PackBytes = (int?)top.Size("pack", RepositoryOptions.CheckPack),
            MemoryBytes = top.Size("memory", MemoryOption.CheckSize),
            Keep = ReadKeep(_tables["keep"], host, disks),
            HookLimit = TimeSpan.FromSeconds(_tables["hooks"].Count("timeout", SecondsMost) ?? 60),
            Prometheus = _tables["report"].Text("prometheus", PathName.Check) is { } path ? InFolder(path) : null,
        };
        config = ReadHooks(_tables["hooks"], config);
        foreach (ConfigTable table in (ConfigTable[])[top, .. _tables.Values, .. _disks])
            table.End();
        return config;
    }

    void Sort(TableSyntaxBase table)
    {
        string name = ConfigTable.NameOf(table.Name);
        int line = ConfigTable.LineOf(table);
        ConfigTable? read = null;
        if (table is TableArraySyntax && name == "disk")
            _disks.Add(read = new ConfigTable(_file, "[[disk]]", line, _problems));
        else if (table is TableSyntax && _tables.ContainsKey(name))
            read = _tables[name] = new ConfigTable(_file, $"[{name}]", line, _problems);
        else
            _problems.Add(
                Phrases.Text($"{_file}:{line}: table '{name}' is not known; ")
                    + "known are [[disk]], [keep], [hooks] and [report]"
            );
        foreach (KeyValueSyntax pair in table.Items)
            read?.Add(pair);
    }

    RepositoryPlace ReadPlace(ConfigTable top)
    {
        string address = top.Needed("repository", StoreAddress.Check);
        string? passwordFile = top.Text("password-file", PathName.Check);
        string[]? passwordCommand = top.ProgramWords("password-command");
        if (passwordFile != null && passwordCommand != null)
            top.Wrong("password-command", "give one of 'password-file' and 'password-command'");
        return new RepositoryPlace(
            StoreAddress.IsFolder(address) ? InFolder(address) : address,
            passwordFile == null ? null : InFolder(passwordFile)
        )
        {
            PasswordCommand = passwordCommand == null ? null : Hook.Quote(passwordCommand),
        };
    }

    PointSourceRequest ReadDisk(ConfigTable table)
    {
        string path = table.Needed("path", PathName.CheckDisk);
        string? tracker = table.Text("tracker", PathName.Check);
        string? format = table.Text("format", text => text is "raw" or "qcow2" ? null : "is not 'raw' or 'qcow2'");
        return new PointSourceRequest(
            path.Length == 0 || DeviceSchemes.Known.IsMeant(path) ? path : InFolder(path),
            table.Text("name", DiskNames.Check) ?? DiskNames.Of(path),
            tracker == null ? null : InFolder(tracker),
            format switch
            {
                "raw" => FormatRule.Raw,
                "qcow2" => FormatRule.Qcow2,
                _ => FormatRule.Refused,
            }
        );
    }

    static ForgetRequest? ReadKeep(ConfigTable table, string host, PointSourceRequest[] disks)
    {
        int[] counts =
        [
            .. ((string[])["last", "daily", "weekly", "monthly", "yearly"]).Select(key =>
                table.Count(key, KeepMost) ?? 0
            ),
        ];
        string[] tags = table.Texts("tags") ?? [];
        return counts.All(count => count == 0)
            ? null
            : new ForgetRequest([], null, counts[0], counts[1], counts[2], counts[3], counts[4], tags, IsDry: false)
            {
                Only = [.. disks.Select(disk => host + "/" + disk.Disk)],
            };
    }

    static RunConfig ReadHooks(ConfigTable table, RunConfig config)
    {
        config = config with
        {
            Before = table.ProgramWords("before"),
            Freeze = table.ProgramWords("freeze"),
            Snapshot = table.ProgramWords("snapshot"),
            Thaw = table.ProgramWords("thaw"),
            After = table.ProgramWords("after"),
        };
        if (table.Has("freeze") != table.Has("thaw"))
            table.Wrong(table.Has("freeze") ? "freeze" : "thaw", "'freeze' and 'thaw' belong together; give both");
        if (table.Has("freeze") && !table.Has("snapshot"))
            table.Wrong(
                "freeze",
                "'freeze' needs a 'snapshot': no disk can be read in the seconds for which a guest may be frozen"
            );
        return config;
    }

    string InFolder(string path) => Path.Combine(_folder, path);
}
