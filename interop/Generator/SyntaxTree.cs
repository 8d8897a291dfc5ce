// What a C file declares at its top level: structs, functions and typedefs, read from clang's syntax tree.
//
//   clang -fsyntax-only -Xclang -ast-dump=json
//
// A node has a kind, a name, a type and inner nodes. An unnamed union inside a struct is a record among the struct's
// inner nodes; its members are taken for the struct's own, as C does. Constants are not read here: macros are not in
// the tree, and the compiler knows all values better (CompilerProbe).
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace FastBackup.Interop.Generator;

sealed class SyntaxTree
{
    readonly Dictionary<string, string> _typedefs = [];

    SyntaxTree(JsonElement unit)
    {
        foreach (JsonElement node in Inner(unit))
        {
            string name = NameOf(node);
            switch (KindOf(node))
            {
                case "TypedefDecl":
                    _typedefs[name] = TypeOf(node);
                    break;
                case "RecordDecl" when node.TryGetProperty("completeDefinition", out _) && name.Length > 0:
                    Structs.Add(name, new CStruct(name, [.. FieldsOf(node)], PlaceOf(node)));
                    break;
                case "FunctionDecl":
                    Functions.Add(FunctionOf(node));
                    break;
            }
        }
    }

    /// <summary>By tag, in order of declaration.</summary>
    public OrderedDictionary<string, CStruct> Structs { get; } = [];

    public List<CFunction> Functions { get; } = [];

    /// <summary>What a typedef stands for, as written in C, or null.</summary>
    public string? TypedefOf(string name) => _typedefs.GetValueOrDefault(name);

    /// <param name="includes">The text of a C file: #include lines.</param>
    /// <param name="folders">Where headers are looked for, before the system's folders.</param>
    public static SyntaxTree Read(string includes, params string[] folders)
    {
        string[] search = [.. folders.Select(folder => "-I" + folder)];
        string json = ToolProcess.Run(
            "clang",
            ["-x", "c", "-std=gnu11", "-fsyntax-only", "-Xclang", "-ast-dump=json", .. search, "-"],
            includes
        );
        using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 512 });
        return new SyntaxTree(document.RootElement);
    }

    static CFunction FunctionOf(JsonElement node)
    {
        CField[] parameters =
        [
            .. Inner(node)
                .Where(child => KindOf(child) == "ParmVarDecl")
                .Select(child => new CField(NameOf(child), TypeOf(child), PlaceOf(child))),
        ];
        string type = TypeOf(node); // "const char *(fb_status)"
        return new CFunction(NameOf(node), type[..type.IndexOf('(')].Trim(), parameters, PlaceOf(node));
    }

    static IEnumerable<CField> FieldsOf(JsonElement record)
    {
        foreach (JsonElement node in Inner(record))
        {
            if (KindOf(node) == "RecordDecl" && NameOf(node).Length == 0)
            {
                foreach (CField field in FieldsOf(node))
                    yield return field;
            }
            else if (KindOf(node) == "FieldDecl" && NameOf(node).Length > 0)
                yield return new CField(NameOf(node), TypeOf(node), PlaceOf(node));
        }
    }

    static JsonElement.ArrayEnumerator Inner(JsonElement node) =>
        node.TryGetProperty("inner", out JsonElement inner) ? inner.EnumerateArray() : default;

    static string KindOf(JsonElement node) => Text(node, "kind");

    static string NameOf(JsonElement node) => Text(node, "name");

    static string TypeOf(JsonElement node) => Text(node.GetProperty("type"), "qualType");

    static string Text(JsonElement node, string property) =>
        node.TryGetProperty(property, out JsonElement value) ? value.GetString() ?? "" : "";

    static SourcePlace PlaceOf(JsonElement node)
    {
        JsonElement range = node.GetProperty("range");
        JsonElement end = Written(range.GetProperty("end"));
        return new SourcePlace(
            Number(Written(range.GetProperty("begin")), "offset"),
            Number(end, "offset") + Number(end, "tokLen")
        );
    }

    /// <summary>A token that a macro made stands where the macro was used.</summary>
    static JsonElement Written(JsonElement place) =>
        place.TryGetProperty("expansionLoc", out JsonElement expansion) ? expansion : place;

    static int Number(JsonElement node, string property) =>
        node.TryGetProperty(property, out JsonElement value) ? value.GetInt32() : 0;
}
