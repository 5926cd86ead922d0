"""The programs that run on the GPU. Light is linear; pixels are the square root of half of it.

World: x right, y ahead, z up, metres. Images are drawn upside down, so that row 0 is read first.
"""

_HEAD = "#version 430 core\n"

# A vertex of an instance: positions in metres of the scene's frame.
_VERTEX = """
layout(location = 0) in vec3 position;
layout(location = 1) in vec4 normal;
layout(location = 2) in vec2 texel;
layout(location = 3) in vec4 colour;   // rgb, material
layout(location = 4) in vec4 row_x;    // the instance's matrix, row by row
layout(location = 5) in vec4 row_y;
layout(location = 6) in vec4 row_z;
layout(location = 7) in vec4 first;    // tints
layout(location = 8) in vec4 second;
layout(location = 9) in uint part;
uniform mat4 projection;

vec3 placed() {
    vec4 p = vec4(position, 1.0);
    return vec3(dot(row_x, p), dot(row_y, p), dot(row_z, p));
}
"""

SCENE_VERTEX = (
    _HEAD
    + "//DEFINES\n"
    + _VERTEX
    + """
uniform vec3 eye;
uniform vec3 sun_direction;
uniform vec3 sun;
uniform vec3 sky_up;
uniform vec3 sky_down;
uniform vec4 finish[128];  // of material m: 2 m: layer, tint, gloss, glow; 2 m + 1: through, metres

out vec3 ambient;
out vec3 direct;
out vec3 mirror;
flat out uint owner;
#ifdef TEXTURED
out vec3 albedo;
flat out vec3 tint;
out vec2 uv;
flat out float layer;
#endif
#ifdef SHADOWED
out vec3 in_shadow_map;
uniform mat4 shadow_projection;
#endif
#ifdef NORMALS
out vec3 facing;
uniform mat3 to_camera;
#endif
#ifdef FLOW
layout(location = 10) in vec4 next_x;
layout(location = 11) in vec4 next_y;
layout(location = 12) in vec4 next_z;
out vec3 now_at;
out vec3 next_at;
#endif

vec3 turned(vec3 n) {
    // The inverse transpose of the matrix, up to a factor: its cofactors.
    vec3 a = vec3(row_x.x, row_y.x, row_z.x);
    vec3 b = vec3(row_x.y, row_y.y, row_z.y);
    vec3 c = vec3(row_x.z, row_y.z, row_z.z);
    return normalize(cross(b, c) * n.x + cross(c, a) * n.y + cross(a, b) * n.z);
}

vec2 laid(vec3 n, float side) {
    // A texture in metres, from the side that the surface mostly faces.
    vec3 p = position * vec3(
        length(vec3(row_x.x, row_y.x, row_z.x)),
        length(vec3(row_x.y, row_y.y, row_z.y)),
        length(vec3(row_x.z, row_y.z, row_z.z))
    );
    vec3 at = abs(n);
    vec2 flat_at = at.z >= max(at.x, at.y) ? p.xy : (at.x > at.y ? p.yz : p.xz);
    return flat_at / side;
}

void main() {
    vec3 at = placed();
    gl_Position = projection * vec4(at, 1.0);
    owner = part;
    int m = int(colour.a * 255.0 + 0.5);
    vec4 look = finish[2 * m];
    vec4 more = finish[2 * m + 1];
    vec3 n = turned(normal.xyz);
    vec3 base = colour.rgb * colour.rgb;
    vec3 dye = look.y == 1.0 ? first.rgb * first.rgb
             : look.y == 2.0 ? second.rgb * second.rgb : vec3(1.0);
    float lambert = max(dot(n, sun_direction), 0.0);
    lambert = mix(lambert, 0.35 + 0.4 * lambert, more.x);
    vec3 hemisphere = mix(sky_down, sky_up, 0.5 + 0.5 * n.z);
    ambient = mix(hemisphere, vec3(1.0), look.w);
    direct = sun * lambert * (1.0 - look.w);
    vec3 view = normalize(at - eye);
    float grazing = max(0.0, 1.0 - abs(dot(n, view)));
    float squared = grazing * grazing;  // Schlick's fifth power
    float fresnel = look.z + (0.5 - look.z) * squared * squared * grazing * step(0.001, look.z);
    vec3 bounced = reflect(view, n);
    mirror = mix(sky_down, sky_up, smoothstep(-0.15, 0.25, bounced.z)) * fresnel;
#ifdef TEXTURED
    albedo = base;
    tint = dye;
    layer = look.x;
    uv = more.y > 0.0 ? laid(normal.xyz, more.y) : texel;
#else
    ambient *= base * dye;
    direct *= base * dye;
#ifndef SHADOWED
    ambient += direct + mirror;  // one colour to interpolate instead of three
#endif
#endif
#ifdef SHADOWED
    in_shadow_map = (shadow_projection * vec4(at + n * 0.04, 1.0)).xyz * 0.5 + 0.5;
#endif
#ifdef NORMALS
    facing = to_camera * (dot(n, view) > 0.0 ? -n : n);
#endif
#ifdef FLOW
    vec4 p = vec4(position, 1.0);
    vec3 later = vec3(dot(next_x, p), dot(next_y, p), dot(next_z, p));
    now_at = gl_Position.xyw;
    next_at = (projection * vec4(later, 1.0)).xyw;
#endif
}
"""
)

SCENE_FRAGMENT = (
    _HEAD
    + "//DEFINES\n"
    + """
in vec3 ambient;
in vec3 direct;
in vec3 mirror;
flat in uint owner;
layout(location = 0) out vec4 pixel;
layout(location = 1) out uint thing;
uniform vec4 haze;  // rgb, 1 / metres
#ifdef TEXTURED
in vec3 albedo;
flat in vec3 tint;
in vec2 uv;
flat in float layer;
uniform sampler2DArray textures;
#endif
#ifdef SHADOWED
in vec3 in_shadow_map;
uniform sampler2DShadow shadow_map;
#endif
#ifdef NORMALS
in vec3 facing;
layout(location = 2) out vec4 normal_out;
#endif
#ifdef FLOW
in vec3 now_at;
in vec3 next_at;
layout(location = 3) out vec2 flow_out;
uniform vec2 half_size;
#endif

void main() {
#if defined(TEXTURED) || defined(SHADOWED)
    vec3 light = direct;
#endif
#ifdef SHADOWED
    vec2 edge = abs(in_shadow_map.xy - 0.5);
    // Ground farther from the sun than the map reaches would compare as if it lay in shadow.
    if (max(edge.x, edge.y) < 0.499 && in_shadow_map.z < 1.0)
        light *= texture(shadow_map, in_shadow_map);
#endif
#ifdef TEXTURED
    vec3 base = albedo;
    vec3 gloss = mirror;
    if (layer >= 0.0) {
        vec4 t = texture(textures, vec3(uv, layer));
        base *= t.rgb * t.rgb * mix(vec3(1.0), tint, t.a);
        gloss *= 1.0 - t.a;
    } else {
        base *= tint;
    }
    vec3 linear = base * (ambient + light) + gloss;
#elif defined(SHADOWED)
    vec3 linear = ambient + light + mirror;
#else
    vec3 linear = ambient;
#endif
    float away = haze.a / gl_FragCoord.w;
    linear = mix(haze.rgb, linear, exp2(-away));
    pixel = vec4(sqrt(linear * 0.5), 1.0);  // light up to 2: the sensor's HEADROOM
    thing = owner;
#ifdef NORMALS
    normal_out = vec4(normalize(facing), 1.0);
#endif
#ifdef FLOW
    vec2 before = now_at.xy / now_at.z, after = next_at.xy / next_at.z;
    flow_out = next_at.z > 0.0 ? (after - before) * half_size : vec2(1e9);
#endif
}
"""
)

# What lies dark on the ground under things: it darkens pixels, but they stay the ground's.
CONTACT_VERTEX = (
    _HEAD
    + _VERTEX
    + """
out float opacity;
void main() {
    gl_Position = projection * vec4(placed(), 1.0);
    opacity = texel.x;
}
"""
)

CONTACT_FRAGMENT = (
    _HEAD
    + """
in float opacity;
layout(location = 0) out vec4 pixel;
void main() {
    pixel = vec4(0.0, 0.0, 0.0, opacity);
}
"""
)

SHADOW_VERTEX = (
    _HEAD
    + _VERTEX
    + """
void main() {
    gl_Position = projection * vec4(placed(), 1.0);
}
"""
)

SHADOW_FRAGMENT = (
    _HEAD
    + """
void main() {
}
"""
)

# Every instance in a tile of its own, as if alone: the clip planes are the tile's borders.
SILHOUETTE_VERTEX = (
    _HEAD
    + _VERTEX
    + """
layout(location = 10) in vec4 window;  // of the image: left, top, width, height in pixels
layout(location = 11) in vec2 tile;    // of the atlas: left, top
uniform vec2 image;
uniform vec2 atlas;
out float gl_ClipDistance[4];
void main() {
    vec4 clip = projection * vec4(placed(), 1.0);
    vec2 pixel = (clip.xy * 0.5 + 0.5 * clip.w) * image;  // times w
    vec2 inside = pixel - window.xy * clip.w;
    gl_ClipDistance[0] = inside.x;
    gl_ClipDistance[1] = inside.y;
    gl_ClipDistance[2] = window.z * clip.w - inside.x;
    gl_ClipDistance[3] = window.w * clip.w - inside.y;
    vec2 moved = inside + tile * clip.w;
    gl_Position = vec4(moved / atlas * 2.0 - clip.w, clip.z, clip.w);  // z: for the near plane
}
"""
)

SILHOUETTE_FRAGMENT = (
    _HEAD
    + """
layout(location = 0) out float covered;
void main() {
    covered = 1.0;
}
"""
)
